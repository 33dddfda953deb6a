/** The `access` section. */
import { z } from "zod";
import type { AuthorizeFunction } from "../access/authorize.ts";
import { nothing } from "../access/identity.ts";
import type { AccessOptions } from "../access/options.ts";
import { isToken } from "../util/http-field.ts";
import type { AccessConfig } from "./config.ts";
import { bareUrl, count, duration, object, size, text, whole } from "./fields.ts";
import { grantSchema, keysSchema } from "./grants.ts";
import { jwtSchema } from "./jwt.ts";

const authorizeService = object({
  url: bareUrl.describe(
    "URL of the service, called with POST. A 200 with rights as JSON grants them, 401 and 403 refuse; for anything else, the client gets 503.",
  ),
  timeout: duration("2s", 1).describe("How long the service may take to answer."),
  cache: duration("5s").describe(
    "How long an answer is cached for the same credential and stream; `0s` disables the cache.",
  ),
  stale: duration("30s").describe(
    "How much longer a cached answer that granted access is used while the service does not answer or is too busy; `0s` disables this.",
  ),
}).meta({ title: "AuthorizeConfig", description: "A service that decides about access." });

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
  lifetime: duration("12h", 1000).describe("Maximum lifetime of a ticket, even if its credential is valid for longer."),
  firstUse: duration("30s", 1000).describe("Time within which a ticket must be used for the first time."),
  anonymous: z
    .boolean()
    .default(false)
    .describe("Whether clients without a credential can get tickets, which they do not need."),
  perSubject: count("10_000", 100_000).describe(
    "Tickets that one key or user holds, or one address without a credential ([more](../guides/access.md#limits-of-tickets)). Beyond it the least recently used ticket is removed; if none was used, the answer is 429. At most 100,000.",
  ),
  perAddress: count("10_000", 100_000).describe("Unused tickets of one address; beyond it 429. At most 100,000."),
  bytes: size("8MiB").describe(
    "Memory for the tickets of one key or user, about 1 kB each; beyond it as with `perSubject`.",
  ),
}).meta({ title: "TicketsConfig", description: "Tickets, which an `EventSource` uses to authenticate." });

const cors = object({
  origins: z
    .array(origin, "a list of origins")
    .prefault([])
    .describe('Origins whose pages may use the gateway: `https://app.example`, or `"*"` alone.'),
  credentials: z.boolean().default(false).describe("Whether these pages may send cookies."),
  maxAge: duration("10m").describe("How long a browser may cache the response to a preflight request."),
})
  .refine(
    ({ origins, credentials }) => !(credentials && origins.includes("*")),
    "named origins where credentials are allowed",
  )
  .meta({ title: "CorsConfig", description: "Which pages of other origins may use the gateway (CORS)." });

const shape = object({
  anonymous: grantSchema
    .default(nothing)
    .describe(
      "What clients without a credential may do: a list of rights (`subscribe`, `publish`, `proxy`: requests to routes, `admin`: status, metrics, reload, the dashboard, the subscribers of others, `inspect`: events in the dashboard), or a [grant](#grants). Default: nothing.",
    ),
  keys: keysSchema.describe(
    "API keys: `{ name, hash, expires }` and a [grant](#grants). `spillway key new` prints a key and its entry, `spillway key hash` the entry of an existing key ([forms of a hash](../guides/access.md#existing-keys)).",
  ),
  jwt: jwtSchema.optional(),
  cookie: text("a cookie's name", (name) => isToken(name) && name.length <= 128)
    .optional()
    .describe(
      "Name of a cookie that may hold a token instead of the `Authorization` header. A request with the cookie must come from an allowed origin.",
    ),
  tickets: tickets.prefault({}),
  authorize: authorize
    .optional()
    .describe(
      "A service that decides about access: `{ url, timeout: 2s, cache: 5s, stale: 30s }`. In code also a function.",
    ),
  cors: cors.prefault({}),
}).refine(({ cookie, jwt: tokens }) => cookie === undefined || tokens !== undefined, {
  path: ["cookie"],
  message: "no cookie without jwt, because the cookie holds a token",
});

/** The `access` section. */
export const accessSchema: z.ZodType<AccessOptions, AccessConfig> = whole(shape).meta({
  title: "AccessConfig",
  description:
    "Access rights; default deny. Without this section, anonymous clients may subscribe and use routes on a loopback address; on any other address the section is required.",
});
