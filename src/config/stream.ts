/** One entry of the `streams` section. */
import { z } from "zod";
import type { StreamDefinition } from "../events/definition.ts";
import { isStreamDefinition } from "../events/define-stream.ts";
import type { OnDemandOptions, StreamOptions } from "../gateway/options.ts";
import type { DefinitionOption } from "../gateway/stream-definition.ts";
import { reservedPrefix, type Retention } from "../log/log.ts";
import { defaultEventType } from "../sse/index.ts";
import { isName } from "../util/name.ts";
import type { OnDemandConfig, RetentionConfig, StreamConfig } from "./config.ts";
import { bound, convert, duration, file, jsonPointer, object, positive, text, whole } from "./fields.ts";
import { rate } from "./limits.ts";
import { streamTransformSchema } from "./transform.ts";
import { upstreamSchema } from "./upstream.ts";
import { webhookSchema } from "./webhook.ts";

const retention: z.ZodType<Retention, RetentionConfig> = whole(
  object({
    age: bound("Duration", "24h").describe(
      "Events older than this are deleted. `none` disables the limit, here and in the next three options.",
    ),
    events: bound("Count", "1_000_000", "none").describe("Maximum number of events."),
    bytes: bound("Size", "1GiB").describe("Maximum size: data, types, channels and ids, plus 128 bytes per event."),
    keys: bound("Count", "100_000").describe(
      "Maximum number of idempotency keys. Beyond it the oldest keys of the publisher with the most keys are removed.",
    ),
  }),
).meta({
  title: "RetentionConfig",
  description: "How much of a stream is kept. The oldest events are deleted as soon as one limit is exceeded.",
});

/** How the streams of a pattern are made and forgotten. */
export const onDemandSchema: z.ZodType<OnDemandOptions, OnDemandConfig> = whole(
  object({
    idle: duration("1h", 1000).describe(
      "A stream that has no subscriber, and to which nobody has published for this long, is removed with its events; at least `1s`.",
    ),
    streams: positive("10_000", 1_000_000).describe(
      "Maximum number of streams of the pattern. Beyond it, one without events and subscribers is removed; if there is none, a new name gets 503.",
    ),
    rate: rate("60/1m", "60/1m").describe(
      "Maximum number of streams that one subject makes, or one address if it is anonymous; beyond it 429. `none` disables the limit.",
    ),
  }),
).meta({
  title: "OnDemandConfig",
  description: "How the streams of a pattern are made and forgotten.",
});

/** A stream's options, and those of its pattern if its name is one. */
export interface StreamEntry extends StreamOptions {
  readonly onDemand: OnDemandOptions | undefined;
}

/** Excludes `message` and the control events, whose listeners must not receive heartbeats. */
const heartbeatEvent = text(
  "an event type of 1 to 256 characters without comma and control characters, not message, connected or spillway.…",
  (type) => isName(type) && ![defaultEventType, "connected"].includes(type) && !type.startsWith(reservedPrefix),
);

const interval = duration("15s", 10).describe("How long a connection is idle before a heartbeat; at least `10ms`.");

const heartbeatSection = object({
  interval,
  event: heartbeatEvent
    .optional()
    .describe(
      "Sends an event of this type, with the time in its JSON data, instead of a comment, which is invisible to scripts in browsers.",
    ),
}).meta({ title: "HeartbeatConfig", description: "Heartbeats, which keep an idle connection alive." });

const heartbeat = convert(
  z.union([heartbeatSection, interval.unwrap()], {
    error: 'a duration such as "15s" (at least 10ms, at most 24d), or { interval, event }',
  }),
  (parsed): StreamOptions["heartbeat"] =>
    typeof parsed === "number"
      ? { interval: parsed, event: undefined }
      : { interval: parsed.interval, event: parsed.event },
  (options) => (options.event === undefined ? options.interval : options),
);

/** In code, the definition itself is accepted as well. */
const definitionSchema: z.ZodType<DefinitionOption, string | StreamDefinition> = convert(
  z.union([z.custom<StreamDefinition>(isStreamDefinition), file], {
    error: "the path of a module that exists; in code also a definition",
  }),
  (parsed): DefinitionOption => (typeof parsed === "string" ? parsed : () => parsed),
  (option) => (typeof option === "string" ? option : option()),
).meta({ tsType: "string | StreamDefinition" });

const shape = object({
  upstream: upstreamSchema.optional(),
  channel: jsonPointer
    .optional()
    .describe("JSON pointer (RFC 6901) to the channel in the JSON data of an upstream event, such as `/symbol`."),
  webhook: webhookSchema.optional(),
  transform: streamTransformSchema
    .optional()
    .describe(
      "A JavaScript or TypeScript module whose function `(event, context) => event` changes the events before they are stored ([guide](../guides/transforms.md)): its path, relative to the working directory, or `{ module, onError, timeout }`; `onError` is `stop` (default), `skip` or `pass`.",
    ),
  definition: definitionSchema
    .optional()
    .describe(
      "What the events look like ([guide](../guides/typed-events.md)): the path of a JavaScript or TypeScript module that exports `defineStream(…)` for the stream, relative to the working directory; in code also the definition itself. Published events that do not match are refused with 422, those of the upstream are stored and reported.",
    ),
  ids: z
    .enum(["gateway", "upstream"])
    .default("gateway")
    .describe(
      "Event ids that clients see: `gateway` (`<epoch>.<seq>`), or `upstream`: those of the source, so that clients can switch between the source and the gateway.",
    ),
  retention: retention.prefault({}),
  heartbeat: heartbeat
    .prefault(interval.def.defaultValue as string)
    .describe(
      "How long a connection is idle before a comment keeps it alive; at least 10 ms. `{ interval: 15s, event: heartbeat }` sends an event of that type instead ([form](../../PROTOCOL.md#33-heartbeats)).",
    ),
  retry: duration("2s")
    .unwrap()
    .optional()
    .describe(
      "Delay after which clients reconnect when their connection breaks. Default: the client decides; browsers wait 3 to 5 s.",
    ),
  onDemand: onDemandSchema
    .optional()
    .describe("Only for a pattern such as `chat-*`: how its streams are made and forgotten. Default: `{}`."),
  coalesce: duration("0ms", 0, 10_000).describe(
    "How long an event may wait for others to be sent in one write ([effect](../concepts/delivery.md#at-the-head)): trades latency for CPU time; at most `10s`. With `0ms`, only events that arrive while the process is busy are sent together.",
  ),
});

/** One stream. */
export const streamSchema: z.ZodType<StreamEntry, StreamConfig> = convert(
  shape,
  ({ upstream, webhook, channel, transform, definition, retry, onDemand, ...rest }): StreamEntry => ({
    ...rest,
    upstream,
    webhook,
    transform,
    definition,
    hasUpstream: upstream !== undefined,
    channel,
    retry,
    onDemand,
  }),
  ({ hasUpstream: _, ...options }) => options,
).meta({ title: "StreamConfig", description: "One stream." });
