/** The `routes` section. */
import { z } from "zod";
import type { Retention } from "../log/log.ts";
import type { HeaderRules, RouteOptions, Routes, ShareOptions } from "../proxy/options.ts";
import { isPattern } from "../proxy/pattern.ts";
import { isHeaderValue, isToken } from "../util/http-field.ts";
import type { HeaderRulesConfig, RouteConfig, ShareConfig, ShareRetentionConfig } from "./config.ts";
import { bound, convert, duration, object, positive, text, textAs, whole } from "./fields.ts";
import { routeUpstreamSchema } from "./route-upstream.ts";
import { routeTransformSchema } from "./transform.ts";

/** Fields that decide where a message ends, or are about one connection: the gateway writes them. */
const framing: ReadonlySet<string> = new Set([
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

/** Fields of a shared request that the gateway writes. */
const ownFields: ReadonlySet<string> = new Set(["accept", "accept-encoding", "last-event-id"]);

const headerName = textAs("a header name, not host, content-length or one of a connection", (name) => {
  const lower = name.toLowerCase();
  return isToken(name) && !framing.has(lower) ? lower : undefined;
});

const headerValue = text("text without line breaks", isHeaderValue, { secret: true });

const headerRules: z.ZodType<HeaderRules, HeaderRulesConfig> = object({
  set: z
    .record(headerName, headerValue)
    .default({})
    .meta({ secret: true })
    .describe("Header fields that are added or replaced, with their values, which are never shown."),
  remove: z.array(headerName, "a list of header names").default([]).describe("Header fields that are removed."),
}).meta({ title: "HeaderRulesConfig", description: "Changes of the header fields of a message." });

const prefix = text(
  "a path without a slash at its end, such as /api",
  (path) => path.startsWith("/") && !/[/*]$|\*/.test(path) && isPattern(path),
);

const credential = z.union(
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

const retention: z.ZodType<Retention, ShareRetentionConfig> = whole(
  object({
    age: bound("Duration", "1h").describe(
      "Events older than this are deleted. `none` disables the limit, here and in the next two options.",
    ),
    events: bound("Count", "10_000").describe("Maximum number of events."),
    bytes: bound("Size", "16MiB").describe("Maximum size: data, types and ids, plus 128 bytes per event."),
  }),
).meta({
  title: "ShareRetentionConfig",
  description: "How much of each shared response is kept for clients that resume.",
});

/** Headers by which responses usually differ. */
const defaultVary: readonly string[] = ["accept-language", "authorization", "cookie", "x-api-key"];

const varyName = textAs("a header name, not accept, accept-encoding, last-event-id, or one of a connection", (name) => {
  const lower = name.toLowerCase();
  return isToken(name) && !framing.has(lower) && !ownFields.has(lower) ? lower : undefined;
});

const shareSection = object({
  streams: positive(100, 10_000).describe(
    "Maximum number of distinct requests that are shared at a time, per process; a client, or an address without a credential, opens at most half of them. Beyond it 503.",
  ),
  linger: duration("1m", 1000).describe(
    "How long the connection to the target and the events are kept after the last client; at least `1s`.",
  ),
  vary: z
    .array(varyName, "a list of header names")
    .default([...defaultVary])
    .describe(
      "Request headers that are forwarded. Clients share only if all of them are equal; no other header of a client reaches the target.",
    ),
  retention: retention.prefault({}),
}).meta({ title: "ShareConfig", description: "How clients share one request to the target." });

const share: z.ZodType<ShareOptions, true | ShareConfig> = convert(
  z.union([z.literal(true), shareSection], { error: "true, or { streams, linger, vary, retention }" }),
  (parsed): ShareOptions => (parsed === true ? shareSection.parse({}) : parsed),
  (options) => ({ ...options, vary: [...options.vary] }),
);

const shape = object({
  upstream: routeUpstreamSchema,
  access: z
    .enum(["required", "none"])
    .default("required")
    .describe(
      "`required`: a client needs the right `proxy` for this route. `none`: every request is forwarded, and the target decides.",
    ),
  path: object({
    strip: prefix
      .optional()
      .describe("Start of the path that is removed, such as `/api`; the pattern must begin with it."),
    prepend: prefix.optional().describe("Path that is put before the rest, such as `/v2`."),
  })
    .prefault({})
    .meta({ title: "RoutePathConfig", description: "How the path of a request is changed." }),
  host: z
    .enum(["target", "client"])
    .default("target")
    .describe("The `Host` header of the forwarded request: that of the target's URL, or the client's."),
  headers: object({
    request: headerRules.prefault({}),
    response: headerRules.prefault({}),
  })
    .prefault({})
    .meta({ title: "RouteHeadersConfig", description: "Changes of the header fields of both messages." }),
  forwarded: z
    .enum(["x-forwarded", "rfc7239", "none"])
    .default("x-forwarded")
    .describe(
      "How the target learns the client's address, host and scheme: `X-Forwarded-For`, `-Host` and `-Proto`; `rfc7239`: `Forwarded`; or not at all. What the client itself sends there is removed, unless it is one of `trustProxy`.",
    ),
  credential: credential
    .optional()
    .describe(
      'The client\'s `Authorization`, `X-API-Key`, ticket and `access.cookie`: `drop` removes them, `keep` forwards them, `{ set: "Bearer ${KEY}" }` replaces them by this `Authorization`. Default: `drop`; with `access: none`, `keep`.',
    ),
  websocket: z.boolean().default(false).describe("Whether WebSocket connections are forwarded."),
  halfClose: z
    .enum(["leave", "wait"])
    .default("leave")
    .describe(
      "What it means if a client ends its side of the connection (FIN) after its request. `leave`: it has disconnected, and the target's request is aborted at once. `wait`: it waits for the response, for up to a second; an event stream ends at once.",
    ),
  transform: routeTransformSchema
    .optional()
    .describe(
      "A JavaScript or TypeScript module whose function `(event, context) => event` changes the events of an event stream: its path, relative to the working directory, or `{ module, onError }`; `onError` is `pass` (default), `skip` or `stop`.",
    ),
  heartbeat: duration("15s", 10)
    .unwrap()
    .optional()
    .describe(
      "How long an event stream may be silent before the client gets a comment, which keeps its connection alive; at least `10ms`. Default: never; `15s` with `share`.",
    ),
  share: share
    .optional()
    .describe(
      "Clients whose GET requests for an event stream are equal share one request to the target, through a log: each gets the events that it missed while it was disconnected. `true`, or `{ streams, linger, vary, retention }`. Default: every client has a request of its own.",
    ),
});

type Parsed = z.output<typeof shape>;

const routeSchema: z.ZodType<RouteOptions, RouteConfig> = convert(shape, toOptions, toConfig).meta({
  title: "RouteConfig",
  description: "Requests that are forwarded to other servers.",
});

function toOptions({ path: { strip = "", prepend = "" }, ...rest }: Parsed): RouteOptions {
  return {
    ...rest,
    path: { strip, prepend },
    credential: rest.credential ?? (rest.access === "none" ? "keep" : "drop"),
    transform: rest.transform,
    heartbeat: rest.heartbeat,
    share: rest.share,
  };
}

function toConfig({ path: { strip, prepend }, ...rest }: RouteOptions): Parsed {
  return { ...rest, path: { strip: strip || undefined, prepend: prepend || undefined } };
}

const pattern = text("a path pattern that begins with /, such as /events, /users/*/feed or /api/**", isPattern).refine(
  (path) => !/^\/(streams|status|metrics|admin|tickets|health|healthz|readyz)(\/|$)/.test(path),
  "a path that the gateway does not answer itself, as it does /streams, /status, /metrics, /admin, /tickets, /health, /healthz and /readyz",
);

/** The routes by their path patterns. */
export const routesSchema: z.ZodType<Routes, Readonly<Record<string, RouteConfig>>> = z
  .record(pattern, routeSchema)
  .superRefine((routes, context) => {
    for (const [name, { path, share: shared, transform: module }] of Object.entries(routes)) {
      if (!`${name}/`.startsWith(`${path.strip}/`))
        context.addIssue({ code: "custom", path: [name, "path", "strip"], message: `a start of the path ${name}` });
      if (shared && module?.onError === "stop")
        context.addIssue({
          code: "custom",
          path: [name, "transform", "onError"],
          message: "pass or skip with share, because the response is that of many clients",
        });
    }
  });
