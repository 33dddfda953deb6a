/** The `jwt` section of `access`. */
import { z } from "zod";
import type { ClaimMapping, JwtOptions } from "../access/options.ts";
import type { JwtConfig } from "./config.ts";
import { bareUrl, convert, duration, invalid, object, pem, text, value, whole } from "./fields.ts";
import { rightSchema } from "./grants.ts";

const mapping = value<string, ClaimMapping>({
  expected: '"claim:<name>" or "claim:<name> → <text with {}>"',
  type: "string",
  parse: (input) => {
    const [, claim, template = "{}"] =
      /^claim:([^\s→]+)(?:\s*(?:→|->)\s*(\S*\{\}\S*))?$/.exec(typeof input === "string" ? input.trim() : "") ?? [];
    return claim === undefined ? invalid : { claim, template };
  },
  print: ({ claim, template }) => `claim:${claim} → ${template}`,
});

const symmetric = ["HS256", "HS384", "HS512"];
const asymmetric = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

const claims = whole(
  object({
    streams: mapping
      .optional()
      .describe("Streams from another claim: `claim:<name>`, or `claim:<name> → <text with {}>`."),
    routes: mapping.optional().describe("Path patterns of routes from another claim."),
    channels: mapping.optional().describe("Channels from another claim: `claim:tenant → tenant:{}`."),
    events: mapping.optional().describe("Event types from another claim."),
  }),
).meta({
  title: "ClaimsConfig",
  description:
    "Claims that hold parts of a grant, instead of the `spillway` claim. A token that lacks such a claim gets an empty list for that part.",
});

const jwtShape = object({
  secret: text("a secret of at least 32 bytes", (secret) => Buffer.byteLength(secret) >= 32, { secret: true })
    .optional()
    .describe(
      "The secret of tokens signed with HS256, HS384 or HS512, at least 32 bytes. Exactly one of `secret`, `publicKey` and `jwks` is required.",
    ),
  publicKey: pem.optional().describe("The issuer's public key: PEM text or the path of a PEM file."),
  jwks: bareUrl
    .optional()
    .describe(
      "URL of the issuer's key set. It is cached, fetched again for an unknown key, and used for up to 24 hours while the issuer is unreachable.",
    ),
  issuer: z.string().optional().describe("Required value of the claim `iss`. Default: the claim is not checked."),
  audience: z
    .string()
    .optional()
    .describe("Value that the claim `aud` must equal or contain. Default: the claim is not checked."),
  algorithms: z
    .array(z.enum([...symmetric, ...asymmetric]).meta({ tsType: "string" }))
    .min(1, "at least one algorithm")
    .optional()
    .describe("Accepted algorithms. Default: `[HS256]` with a secret, otherwise `[RS256, ES256, EdDSA]`."),
  clockTolerance: duration("5s", 0, 600_000).describe("How far the clocks of issuer and gateway may differ."),
  can: z
    .array(rightSchema, "a list of rights")
    .default([])
    .describe("Rights of every accepted token, in addition to those of its `spillway` claim."),
  broadcast: z
    .boolean()
    .default(false)
    .describe(
      "Whether subscribers with any accepted token also get events without a channel, in addition to those of the granted channels. A token's `spillway` claim can also allow this.",
    ),
  claims: claims.prefault({}),
});

type ParsedJwt = z.output<typeof jwtShape>;

/** The `jwt` section of `access`. */
export const jwtSchema: z.ZodType<JwtOptions, JwtConfig> = convert(
  jwtShape.superRefine((parsed, context) => {
    for (const [path, message] of contradictions(parsed)) context.addIssue({ code: "custom", path: [path], message });
  }),
  ({ secret, publicKey, jwks, algorithms, ...rest }: ParsedJwt): JwtOptions => ({
    ...rest,
    verifyWith: secret !== undefined ? { secret } : publicKey !== undefined ? { publicKey } : { jwks: jwks! },
    issuer: rest.issuer,
    audience: rest.audience,
    algorithms: algorithms ?? (secret === undefined ? ["RS256", "ES256", "EdDSA"] : ["HS256"]),
  }),
  ({ verifyWith, ...options }): ParsedJwt => ({
    ...verifyWith,
    ...options,
    algorithms: [...options.algorithms],
    can: [...options.can],
  }),
).meta({
  title: "JwtConfig",
  description:
    "Which JSON Web Tokens are accepted. A token's grant is its claim `spillway: { can, streams, routes, channels, events, broadcast }`.",
});

/** Checks options that are valid alone but not together: yields the invalid option and what was expected. */
function* contradictions(parsed: ParsedJwt): Generator<[path: string, expected: string]> {
  const { secret, publicKey, jwks, algorithms = [] } = parsed;
  const given = [secret, publicKey, jwks].filter((way) => way !== undefined).length;
  if (given !== 1) yield ["secret", "exactly one of secret, publicKey and jwks"];
  // If a public key were accepted as a secret, everyone could sign tokens (RFC 8725 §2.1).
  const foreign = algorithms.find((algorithm) => symmetric.includes(algorithm) !== (secret !== undefined));
  if (foreign !== undefined)
    yield ["algorithms", secret === undefined ? "no HS algorithm without a secret" : "HS algorithms"];
}
