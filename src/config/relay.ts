/** The options of forwarded requests, as routes and runs have them. */
import { z } from "zod";
import type { CredentialRule, HeaderRules, RouteOptions } from "../proxy/options.ts";
import { isPattern } from "../proxy/pattern.ts";
import { isHeaderValue, isToken } from "../util/http-field.ts";
import type { HeaderRulesConfig, RouteHeadersConfig, RoutePathConfig } from "./config.ts";
import { convert, headerValue, object, text, textAs, type Optional } from "./fields.ts";

/** Fields that decide where a message ends, or are about one connection: the gateway writes them. */
export const framing: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const headerName = textAs("a header name, not host, content-length or one of a connection", (name) => {
  const lower = name.toLowerCase();
  return isToken(name) && !framing.has(lower) ? lower : undefined;
});

const headerRules: z.ZodType<HeaderRules, HeaderRulesConfig> = object({
  set: z
    .record(headerName, headerValue)
    .default({})
    .meta({ secret: true })
    .describe("Header fields that are added or replaced, with their values, which are never shown."),
  remove: z.array(headerName, "a list of header names").default([]).describe("Header fields that are removed."),
}).meta({ title: "HeaderRulesConfig", description: "Changes of the header fields of a message." });

const prefix: z.ZodType<string, string> = text(
  "a path without a slash at its end, such as /api",
  (path) => path.startsWith("/") && !/[/*]$|\*/.test(path) && isPattern(path),
);

const credential: z.ZodType<CredentialRule, CredentialRule> = z.union(
  [
    z.enum(["keep", "drop"]),
    object({
      set: text(
        "a value of the Authorization header, such as Bearer ${KEY}",
        (input) => input !== "" && isHeaderValue(input),
        {
          secret: true,
        },
      ),
    }),
  ],
  { error: "keep, drop or { set: <value of Authorization> }" },
);

const pathRules: z.ZodType<RouteOptions["path"], RoutePathConfig> = convert(
  object({
    strip: prefix
      .optional()
      .describe("Start of the path that is removed, such as `/api`; the pattern must begin with it."),
    prepend: prefix.optional().describe("Path that is put before the rest, such as `/v2`."),
  }),
  ({ strip = "", prepend = "" }) => ({ strip, prepend }),
  ({ strip, prepend }) => ({ strip: strip || undefined, prepend: prepend || undefined }),
);

/** The schemas of the options. */
export interface RelayShape extends z.ZodRawShape {
  readonly path: Optional<RouteOptions["path"], RoutePathConfig>;
  readonly host: Optional<RouteOptions["host"], RouteOptions["host"]>;
  readonly headers: Optional<RouteOptions["headers"], RouteHeadersConfig>;
  readonly forwarded: Optional<RouteOptions["forwarded"], RouteOptions["forwarded"]>;
  readonly credential: z.ZodOptional<z.ZodType<CredentialRule, CredentialRule>>;
  readonly halfClose: Optional<RouteOptions["halfClose"], RouteOptions["halfClose"]>;
}

/** Options that routes and runs have alike. */
export const relayShape: RelayShape = {
  path: pathRules.prefault({}).meta({ title: "RoutePathConfig", description: "How the path of a request is changed." }),
  host: z
    .enum(["target", "client"])
    .prefault("target")
    .describe("The `Host` header of the forwarded request: that of the target's URL, or the client's."),
  headers: object({
    request: headerRules.prefault({}),
    response: headerRules.prefault({}),
  })
    .prefault({})
    .meta({ title: "RouteHeadersConfig", description: "Changes of the header fields of both messages." }),
  forwarded: z
    .enum(["x-forwarded", "rfc7239", "none"])
    .prefault("x-forwarded")
    .describe(
      "How the target learns the client's address, host and scheme: `X-Forwarded-For`, `-Host` and `-Proto`; `rfc7239`: `Forwarded`; or not at all. What the client itself sends there is removed, unless it is one of `trustProxy`.",
    ),
  credential: credential
    .optional()
    .describe(
      'The client\'s `Authorization`, `X-API-Key`, ticket and `access.cookie`: `drop` removes them, `keep` forwards them, `{ set: "Bearer ${KEY}" }` replaces them by this `Authorization`. Default: `drop`; with `access: none`, `keep`.',
    ),
  halfClose: z
    .enum(["leave", "wait"])
    .prefault("leave")
    .describe(
      "What it means if a client ends its side of the connection (FIN) after its request. `leave`: it has disconnected, and the target's request is aborted at once. `wait`: it waits for the response, for up to a second; an event stream ends at once.",
    ),
};

/** The path pattern of what is forwarded. */
export const pathPattern: z.ZodType<string, string> = text(
  "a path pattern that begins with /, such as /events, /users/*/feed or /api/**",
  isPattern,
).refine(
  (path) => !/^\/(streams|status|metrics|runs|admin|tickets|health|healthz|readyz)(\/|$)/.test(path),
  "a path that the gateway does not answer itself, as it does /streams, /runs, /status, /metrics, /admin, /tickets, /health, /healthz and /readyz",
);

/** Checks that the pattern begins with what is removed from its paths. */
export function assertStripped(pattern: string, strip: string, context: z.core.$RefinementCtx): void {
  if (`${pattern}/`.startsWith(`${strip}/`)) return;
  context.addIssue({ code: "custom", path: [pattern, "path", "strip"], message: `a start of the path ${pattern}` });
}
