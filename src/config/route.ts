/** The `routes` section. */
import { z } from "zod";
import type { Retention } from "../log/log.ts";
import type { RouteOptions, Routes, ShareOptions } from "../proxy/options.ts";
import { isToken } from "../util/http-field.ts";
import type { RouteConfig, ShareConfig, ShareRetentionConfig } from "./config.ts";
import { bound, convert, duration, object, positive, textAs, whole } from "./fields.ts";
import { assertStripped, framing, pathPattern, relayShape } from "./relay.ts";
import { routeUpstreamSchema } from "./route-upstream.ts";
import { routeTransformSchema } from "./transform.ts";

/** Fields of a shared request that the gateway writes. */
const ownFields: ReadonlySet<string> = new Set(["accept", "accept-encoding", "last-event-id"]);

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
  ...relayShape,
  websocket: z.boolean().default(false).describe("Whether WebSocket connections are forwarded."),
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

const routeSchema: z.ZodType<RouteOptions, RouteConfig> = convert(shape, toOptions, (options) => options).meta({
  title: "RouteConfig",
  description: "Requests that are forwarded to other servers.",
});

function toOptions(parsed: Parsed): RouteOptions {
  return {
    ...parsed,
    credential: parsed.credential ?? (parsed.access === "none" ? "keep" : "drop"),
    transform: parsed.transform,
    heartbeat: parsed.heartbeat,
    share: parsed.share,
  };
}

/** The routes by their path patterns. */
export const routesSchema: z.ZodType<Routes, Readonly<Record<string, RouteConfig>>> = z
  .record(pathPattern, routeSchema)
  .superRefine((routes, context) => {
    for (const [name, { path, share: shared, transform: module }] of Object.entries(routes)) {
      assertStripped(name, path.strip, context);
      if (shared && module?.onError === "stop")
        context.addIssue({
          code: "custom",
          path: [name, "transform", "onError"],
          message: "pass or skip with share, because the response is that of many clients",
        });
    }
  });
