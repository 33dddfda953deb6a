/** One entry of the `streams` section. */
import { z } from "zod";
import type { StreamOptions } from "../gateway/options.ts";
import { reservedPrefix, type Retention } from "../log/log.ts";
import { defaultEventType } from "../sse/index.ts";
import type { RetentionConfig, StreamConfig } from "./config.ts";
import { bound, convert, duration, object, text, whole } from "./fields.ts";
import { upstreamSchema } from "./upstream.ts";

const jsonPointer = text('a JSON pointer such as "/symbol"', (pointer) => /^(\/([^~/]|~[01])*)+$/.test(pointer));

const retention: z.ZodType<Retention, RetentionConfig> = whole(
  object({
    age: bound("Duration", "24h").describe(
      "Events older than this are deleted. `none` lifts the bound, here and in the next three.",
    ),
    events: bound("Count", "1_000_000", "none").describe("At most this many events are kept."),
    bytes: bound("Size", "1GiB").describe(
      "At most this much is kept: data, types, channels and ids, and 128 bytes for each event.",
    ),
    keys: bound("Count", "100_000").describe(
      "At most this many idempotency keys are remembered. Beyond it the oldest ones of the publisher that has the most are forgotten.",
    ),
  }),
).meta({
  title: "RetentionConfig",
  description: "How much of a stream is kept; the oldest events are deleted as soon as one bound is passed.",
});

/** A listener for messages, and those for the control events, must not get it. */
const heartbeatEvent = text(
  "an event type of 1 to 256 characters without comma and control characters, not message, connected or spillway.…",
  (type) =>
    /^[^\u0000-\u001f\u007f,]{1,256}$/.test(type) &&
    ![defaultEventType, "connected"].includes(type) &&
    !type.startsWith(reservedPrefix),
);

const interval = duration("15s", 10).describe("Silence after which it is sent; at least `10ms`.");

const heartbeatSection = object({
  interval,
  event: heartbeatEvent
    .optional()
    .describe(
      "Sends an event of this type, with the time in its JSON data, instead of a comment, which programs in browsers do not see.",
    ),
}).meta({ title: "HeartbeatConfig", description: "What keeps a silent connection alive." });

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

const shape = object({
  upstream: upstreamSchema.optional(),
  channel: jsonPointer
    .optional()
    .describe(
      "Where an upstream event's channel is found in its JSON data: a JSON pointer (RFC 6901) such as `/symbol`.",
    ),
  ids: z
    .enum(["gateway", "upstream"])
    .default("gateway")
    .describe(
      "Whose ids clients see: `gateway` (`<epoch>.<seq>`), or `upstream`: the source's own, so that clients can move between it and the gateway.",
    ),
  retention: retention.prefault({}),
  heartbeat: heartbeat
    .prefault(interval.def.defaultValue as string)
    .describe(
      "Silence after which a comment keeps connections alive; at least 10 ms. `{ interval: 15s, event: heartbeat }` sends an event of that type instead ([form](../../PROTOCOL.md#heartbeats)).",
    ),
  retry: duration("2s")
    .unwrap()
    .optional()
    .describe(
      "After how long clients are asked to reconnect when their connection breaks. Without it the client decides: browsers wait 3 to 5 s.",
    ),
  coalesce: duration("0ms", 0, 10_000).describe(
    "How long an event may wait for others, so that they leave in one write ([what it brings](../concepts/delivery.md#at-the-head)): trades latency for CPU time; at most `10s`. With `0ms` only what comes while the process is busy leaves together.",
  ),
});

/** One stream. */
export const streamSchema: z.ZodType<StreamOptions, StreamConfig> = convert(
  shape,
  ({ upstream, channel, retry, ...rest }): StreamOptions => ({
    ...rest,
    upstream,
    hasUpstream: upstream !== undefined,
    channel,
    retry,
  }),
  ({ hasUpstream: _, ...options }) => options,
).meta({ title: "StreamConfig", description: "One stream." });
