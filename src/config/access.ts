/** The `access` section. */
import { z } from "zod";
import type { AuthorizeFunction } from "../access/authorize.ts";
import { nothing, rights, type Grant } from "../access/identity.ts";
import type { AccessOptions, ClaimMapping, JwtOptions, KeyOptions } from "../access/options.ts";
import { hashExpected, readHash } from "../access/secret-hash.ts";
import { parseDateOrTime } from "../util/rfc3339.ts";
import type { AccessConfig } from "./config.ts";
import { bareUrl, convert, count, duration, invalid, object, pem, size, text, value, whole } from "./fields.ts";

const right = z.enum(rights).meta({ tsType: "Right" });

const names = z.array(
  text("a name, in which * stands for any characters", (name) => /^[^\u0000-\u001f\u007f,]{1,256}$/.test(name)),
  "a list of names",
);

const scopes = {
  streams: names.optional().describe("Streams. Without it all."),
  channels: names
    .optional()
    .describe(
      "Channels; with a list, events without a channel are left out. Without it all, and events without a channel.",
    ),
  broadcast: z
    .boolean()
    .optional()
    .describe(
      "With `channels`: whether a subscriber that asks for no channel by name also gets events without a channel. It never allows publishing them. Without it `false`.",
    ),
  events: names.optional().describe("Event types. Without it all."),
};

const can = z
  .array(right, "a list of rights")
  .default(["subscribe"])
  .describe("Rights: `subscribe`, `publish`, `admin`.");

const grant = object({ can, ...scopes }).meta({
  title: "GrantConfig",
  description: "What a client may do, and with what. In names `*` stands for any characters.",
});

const anonymous = convert(
  z.union([z.array(right), grant], { error: "a list of rights, or a section with can, streams, channels and events" }),
  (granted): Grant => ("can" in granted ? granted : { can: granted }),
  (granted) => (Object.keys(granted).length === 1 ? [...granted.can] : ({ ...granted } as z.output<typeof grant>)),
);

const keyName = text("a name of letters, digits, _ . and -", (name) => /^[\w.-]{1,64}$/.test(name));

const keyHash = text(hashExpected, (hash) => readHash(hash) !== undefined, { secret: true });

const time = value<string, number>({
  expected: "an RFC 3339 time such as 2027-01-31T09:00:00Z",
  type: "string",
  parse: (input) => {
    const ms = typeof input === "string" ? parseDateOrTime(input) : NaN;
    return Number.isNaN(ms) ? invalid : ms;
  },
  print: (ms) => new Date(ms).toISOString(),
});

const key = convert(
  object({
    name: keyName.describe("The key's name in logs and metrics."),
    hash: keyHash.describe(
      "The hash of the key, which may be any secret: `sha256:<hex>`, `sha256:<salt>:<hex>` (of the salt and the secret behind it), or scrypt in the PHC string format. `spillway key hash` makes it.",
    ),
    expires: time.optional().describe("When the key expires: an RFC 3339 time. Without it never."),
    can,
    ...scopes,
  }),
  ({ name, hash, expires, ...granted }): KeyOptions => ({ name, hash, grant: granted, expiresAt: expires }),
  ({ grant: granted, expiresAt, ...rest }) => ({
    ...rest,
    expires: expiresAt,
    ...(granted as z.output<typeof grant>),
  }),
).meta({ title: "KeyConfig", description: "An API key, with its grant." });

const keys = z
  .array(key, "a list of keys")
  .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, "names that differ")
  .refine((list) => new Set(list.map(({ hash }) => hash)).size === list.length, "hashes that differ")
  .prefault([]);

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
    .array(right, "a list of rights")
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

const jwt = convert(
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

const authorizeService = object({
  url: bareUrl.describe(
    "Asked with a POST; 200 with rights as JSON grants them, 401 and 403 refuse, anything else is answered with 503.",
  ),
  timeout: duration("2s", 1).describe("How long the service may take."),
  cache: duration("5s").describe(
    "How long an answer is used again for the same credential and stream; `0s` asks every time.",
  ),
  stale: duration("30s").describe(
    "How much longer an answer that granted something is used while the service does not answer or is too busy; `0s` not at all.",
  ),
}).meta({ title: "AuthorizeConfig", description: "A service that decides who may do what." });

const authorize = z
  .union([z.custom<AuthorizeFunction>((input) => typeof input === "function"), authorizeService], {
    error: "a section with the url of a service; in code also a function",
  })
  .meta({ tsType: "AuthorizeConfig | AuthorizeFunction", secret: "url" });

const origin = text('an origin such as "https://app.example", or "*"', (input) => {
  if (input === "*") return true;
  return URL.canParse(input) && new URL(input).origin === input;
});

const tickets = object({
  lifetime: duration("12h", 1000).describe("The longest that a ticket can be used, whatever its credential says."),
  firstUse: duration("30s", 1000).describe("How soon it must be used first."),
  anonymous: z
    .boolean()
    .default(false)
    .describe("Whether clients without a credential get tickets; they do not need them."),
  perSubject: count("10_000", 100_000).describe(
    "Tickets that one key or user holds, or one address without a credential ([more](../guides/access.md#bounds-of-tickets)). Beyond it the used ticket that was not used for longest is removed; if none was used, the answer is 429. At most 100,000.",
  ),
  perAddress: count("10_000", 100_000).describe(
    "Tickets made for one address that were not used yet; beyond it 429. At most 100,000.",
  ),
  bytes: size("8MiB").describe(
    "What the tickets of one key or user may take, about 1 kB each; beyond it as with `perSubject`.",
  ),
}).meta({ title: "TicketsConfig", description: "Tickets, with which an `EventSource` authenticates." });

const cors = object({
  origins: z
    .array(origin, "a list of origins")
    .prefault([])
    .describe('Pages of which origins may use the gateway: `https://app.example`, or `"*"` alone.'),
  credentials: z.boolean().default(false).describe("Whether they may send cookies."),
  maxAge: duration("10m").describe("How long a browser may keep the answer of a preflight."),
})
  .refine(
    ({ origins, credentials }) => !(credentials && origins.includes("*")),
    "named origins where credentials are allowed",
  )
  .meta({ title: "CorsConfig", description: "Which pages of other origins may use the gateway (CORS)." });

const shape = object({
  anonymous: anonymous
    .default(nothing)
    .describe(
      "What clients without a credential may do: a list of rights (`subscribe`, `publish`, `admin`: status, metrics, reload, the subscribers of others), or a [grant](#grants). Without it nothing.",
    ),
  keys: keys.describe(
    "API keys: `{ name, hash, expires }` and a [grant](#grants). `spillway key new` prints a key and its entry, `spillway key hash` the entry of a key that you have ([forms of a hash](../guides/access.md#keys-that-you-have)).",
  ),
  jwt: jwt.optional(),
  cookie: text("a cookie's name", (name) => /^[!#$%&'*+\-.^_`|~0-9a-z]{1,128}$/i.test(name))
    .optional()
    .describe(
      "Name of the cookie that may hold a token instead of the `Authorization` header; a request with it must come from an allowed origin.",
    ),
  tickets: tickets.prefault({}),
  authorize: authorize
    .optional()
    .describe("A service that decides: `{ url, timeout: 2s, cache: 5s, stale: 30s }`. In code also a function."),
  cors: cors.prefault({}),
}).refine(({ cookie, jwt: tokens }) => cookie === undefined || tokens !== undefined, {
  path: ["cookie"],
  message: "none without jwt: the cookie holds a token",
});

/** The `access` section. */
export const accessSchema: z.ZodType<AccessOptions, AccessConfig> = whole(shape).meta({
  title: "AccessConfig",
  description:
    "Who may do what; default deny. Without the section, on a loopback address, anonymous clients may subscribe; on any other address it is required.",
});
