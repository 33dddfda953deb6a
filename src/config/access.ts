/** The `access` section. */
import { z } from "zod";
import type { AuthorizeFunction } from "../access/authorize.ts";
import { nothing } from "../access/identity.ts";
import type { AccessOptions } from "../access/options.ts";
import type { AccessConfig } from "./config.ts";
import { bareUrl, count, duration, object, size, text, whole } from "./fields.ts";
import { grantSchema, keysSchema } from "./grants.ts";
import { jwtSchema } from "./jwt.ts";

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
  anonymous: grantSchema
    .default(nothing)
    .describe(
      "What clients without a credential may do: a list of rights (`subscribe`, `publish`, `admin`: status, metrics, reload, the subscribers of others), or a [grant](#grants). Without it nothing.",
    ),
  keys: keysSchema.describe(
    "API keys: `{ name, hash, expires }` and a [grant](#grants). `spillway key new` prints a key and its entry, `spillway key hash` the entry of a key that you have ([forms of a hash](../guides/access.md#keys-that-you-have)).",
  ),
  jwt: jwtSchema.optional(),
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
