import { z } from "zod";
import type { AuthorizeFunction } from "../access/authorize.ts";
import { nothing, rights, type Grant } from "../access/grant.ts";
import type { AccessOptions, AuthorizeOptions, ClaimMapping, JwtOptions, KeyOptions } from "../access/options.ts";
import { hashExpected, readHash } from "../access/secret-hash.ts";
import type { AccessConfig } from "./access-config.ts";
import { bareUrl, count, duration, object, size, text, value } from "./fields.ts";
import { pem } from "./pem.ts";
import { parseDateOrTime } from "../util/rfc3339.ts";

const right = z.enum(rights);

const names = z.array(
  text("a name, in which * stands for any characters", (name) => /^[^\u0000-\u001f\u007f,]{1,256}$/.test(name)),
  "a list of names",
);

const scopes = {
  streams: names.optional(),
  channels: names.optional(),
  broadcast: z.boolean().optional(),
  events: names.optional(),
};

const can = z.array(right, "a list of rights").default(["subscribe"]);

const grant = object({ can, ...scopes });

const anonymous = z
  .union([z.array(right), grant], { error: "a list of rights, or a section with can, streams, channels and events" })
  .transform((granted): Grant => ("can" in granted ? granted : { can: granted }));

const keyName = text("a name of letters, digits, _ . and -", (name) => /^[\w.-]{1,64}$/.test(name));

const keyHash = text(hashExpected, (hash) => readHash(hash) !== undefined);

const time = value<string, number>("an RFC 3339 time such as 2027-01-31T09:00:00Z", (input) => {
  const ms = typeof input === "string" ? parseDateOrTime(input) : NaN;
  return Number.isNaN(ms) ? undefined : ms;
});

const key = object({ name: keyName, hash: keyHash, expires: time.optional(), can, ...scopes }).transform(
  ({ name, hash, expires, ...granted }): KeyOptions => ({ name, hash, grant: granted, expiresAt: expires }),
);

const keys = z
  .array(key, "a list of keys")
  .default([])
  .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, "names that differ")
  .refine((list) => new Set(list.map(({ hash }) => hash)).size === list.length, "hashes that differ");

const mapping = value<string, ClaimMapping>('"claim:<name>" or "claim:<name> → <text with {}>"', (input) => {
  const [, claim, template = "{}"] =
    /^claim:([^\s→]+)(?:\s*(?:→|->)\s*(\S*\{\}\S*))?$/.exec(typeof input === "string" ? input.trim() : "") ?? [];
  return claim === undefined ? undefined : { claim, template };
});

const symmetric = ["HS256", "HS384", "HS512"];
const asymmetric = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

const jwtShape = object({
  secret: text("a secret of at least 32 bytes", (secret) => Buffer.byteLength(secret) >= 32).optional(),
  publicKey: pem.optional(),
  jwks: bareUrl.optional(),
  issuer: z.string().optional(),
  audience: z.string().optional(),
  algorithms: z
    .array(z.enum([...symmetric, ...asymmetric]))
    .min(1, "at least one algorithm")
    .optional(),
  clockTolerance: duration("5s", 0, 600_000),
  can: z.array(right, "a list of rights").default([]),
  broadcast: z.boolean().default(false),
  claims: object({
    streams: mapping.optional(),
    channels: mapping.optional(),
    events: mapping.optional(),
  }).prefault({}),
});

const jwt = jwtShape
  .superRefine((parsed, context) => {
    for (const [path, message] of contradictions(parsed)) context.addIssue({ code: "custom", path: [path], message });
  })
  .transform(({ secret, publicKey, jwks, algorithms, ...rest }): JwtOptions => {
    const verifyWith = secret !== undefined ? { secret } : publicKey !== undefined ? { publicKey } : { jwks: jwks! };
    const fallback = secret === undefined ? ["RS256", "ES256", "EdDSA"] : ["HS256"];
    const { streams, channels, events } = rest.claims;
    return {
      ...rest,
      verifyWith,
      issuer: rest.issuer,
      audience: rest.audience,
      algorithms: algorithms ?? fallback,
      claims: { streams, channels, events },
    };
  });

/** What is right alone but not together: the option at fault and what was expected of it. */
function* contradictions({
  secret,
  publicKey,
  jwks,
  algorithms = [],
}: z.output<typeof jwtShape>): Generator<[path: string, expected: string]> {
  const given = [secret, publicKey, jwks].filter((way) => way !== undefined).length;
  if (given !== 1) yield ["secret", "exactly one of secret, publicKey and jwks"];
  // A public key taken for a secret would let everyone sign (RFC 8725 §2.1).
  const foreign = algorithms.find((algorithm) => symmetric.includes(algorithm) !== (secret !== undefined));
  if (foreign !== undefined)
    yield ["algorithms", secret === undefined ? "no HS algorithm without a secret" : "HS algorithms"];
}

const authorize = z.union(
  [
    z.custom<AuthorizeFunction>((input) => typeof input === "function"),
    object({
      url: bareUrl,
      timeout: duration("2s", 1),
      cache: duration("5s"),
      stale: duration("30s"),
    }) satisfies z.ZodType<AuthorizeOptions>,
  ],
  { error: "a section with the url of a service; in code also a function" },
);

const origin = text('an origin such as "https://app.example", or "*"', (input) => {
  if (input === "*") return true;
  return URL.canParse(input) && new URL(input).origin === input;
});

const cors = object({
  origins: z.array(origin, "a list of origins").default([]),
  credentials: z.boolean().default(false),
  maxAge: duration("10m"),
}).refine(
  ({ origins, credentials }) => !(credentials && origins.includes("*")),
  "named origins where credentials are allowed",
);

/** The `access` section. */
export const accessSchema: z.ZodType<AccessOptions, AccessConfig> = object({
  anonymous: anonymous.default(nothing),
  keys,
  jwt: jwt.optional(),
  cookie: text("a cookie's name", (name) => /^[!#$%&'*+\-.^_`|~0-9a-z]{1,128}$/i.test(name)).optional(),
  tickets: object({
    lifetime: duration("12h", 1000),
    firstUse: duration("30s", 1000),
    anonymous: z.boolean().default(false),
    perSubject: count("10_000", 100_000),
    perAddress: count("10_000", 100_000),
    bytes: size("8MiB"),
  }).prefault({}),
  authorize: authorize.optional(),
  cors: cors.prefault({}),
})
  .refine(({ cookie, jwt: tokens }) => cookie === undefined || tokens !== undefined, {
    path: ["cookie"],
    message: "none without jwt: the cookie holds a token",
  })
  .transform((parsed) => ({ ...parsed, jwt: parsed.jwt, cookie: parsed.cookie, authorize: parsed.authorize }));
