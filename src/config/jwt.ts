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
      .describe("Streams out of another claim: `claim:<name>`, or `claim:<name> → <text with {}>`."),
    channels: mapping.optional().describe("Channels in the same way: `claim:tenant → tenant:{}`."),
    events: mapping.optional().describe("Event types in the same way."),
  }),
).meta({
  title: "ClaimsConfig",
  description:
    "Which claims hold the parts of a grant, instead of the `spillway` claim. A token without the claim gets nothing of that part.",
});

const jwtShape = object({
  secret: text("a secret of at least 32 bytes", (secret) => Buffer.byteLength(secret) >= 32, { secret: true })
    .optional()
    .describe(
      "The secret of tokens signed with HS256, HS384 or HS512, at least 32 bytes. Give one of this and the next two.",
    ),
  publicKey: pem.optional().describe("The issuer's public key: PEM text or the path of a PEM file."),
  jwks: bareUrl
    .optional()
    .describe(
      "URL of the issuer's key set. It is cached, fetched again for an unknown key, and used for 24 hours more while the issuer cannot be reached.",
    ),
  issuer: z.string().optional().describe("What the claim `iss` must be. Without it the claim is not checked."),
  audience: z
    .string()
    .optional()
    .describe("What the claim `aud` must be or contain. Without it the claim is not checked."),
  algorithms: z
    .array(z.enum([...symmetric, ...asymmetric]).meta({ tsType: "string" }))
    .min(1, "at least one algorithm")
    .optional()
    .describe("Accepted algorithms. Without it `[HS256]` with a secret, else `[RS256, ES256, EdDSA]`."),
  clockTolerance: duration("5s", 0, 600_000).describe("How far the clocks of issuer and gateway may differ."),
  can: z
    .array(rightSchema, "a list of rights")
    .default([])
    .describe("Rights of every accepted token, beside those of its `spillway` claim."),
  broadcast: z
    .boolean()
    .default(false)
    .describe(
      "Whether the subscribers of every accepted token also get events without a channel, besides those of the granted channels; a token's `spillway` claim may say so too.",
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
    "Which JSON Web Tokens are accepted. A token grants what its claim `spillway: { can, streams, channels, events, broadcast }` says.",
});

/** Options that are valid alone but not together: the option at fault and what was expected of it. */
function* contradictions(parsed: ParsedJwt): Generator<[path: string, expected: string]> {
  const { secret, publicKey, jwks, algorithms = [] } = parsed;
  const given = [secret, publicKey, jwks].filter((way) => way !== undefined).length;
  if (given !== 1) yield ["secret", "exactly one of secret, publicKey and jwks"];
  // A public key taken for a secret would let everyone sign (RFC 8725 §2.1).
  const foreign = algorithms.find((algorithm) => symmetric.includes(algorithm) !== (secret !== undefined));
  if (foreign !== undefined)
    yield ["algorithms", secret === undefined ? "no HS algorithm without a secret" : "HS algorithms"];
}
