import { availableParallelism } from "node:os";
import { z } from "zod";
import type { AccessOptions } from "../access/options.ts";
import type { StreamOptions, TlsOptions } from "../gateway/options.ts";
import type { Limits } from "../limits/options.ts";
import { reservedPrefix } from "../log/log.ts";
import { defaultEventType } from "../sse/index.ts";
import { accessSchema } from "./access-schema.ts";
import type { Count, GatewayConfig } from "./config.ts";
import { bound, duration, object, text, value } from "./fields.ts";
import { limitsSchema } from "./limits-schema.ts";
import { folder } from "./folder.ts";
import { parseListen, type ListenAddress } from "./listen.ts";
import { isStoreUrl, storeExpected } from "./open-store.ts";
import { isNetwork } from "../util/ip-address.ts";
import { pemPath } from "./pem.ts";
import { parseCount, parseDuration, parseSize } from "./units.ts";
import { upstreamSchema } from "./upstream-schema.ts";

/** What the schema makes of a configuration; the defaults that depend on several keys are still open. */
export interface ParsedConfig {
  readonly preset?: "surflux" | undefined;
  readonly listen: ListenAddress;
  readonly store: string;
  readonly sqlite: { readonly synchronous: "full" | "normal" };
  readonly cluster: { readonly lease: number; readonly node?: string | undefined };
  readonly workers: number;
  readonly tls?: TlsOptions | undefined;
  readonly trustProxy: readonly string[];
  readonly hosts?: readonly string[] | undefined;
  readonly drain: number;
  readonly static?: string | undefined;
  readonly default?: string | undefined;
  readonly streams: Readonly<Record<string, StreamOptions>>;
  readonly access?: AccessOptions | undefined;
  readonly limits: Limits;
}

const streamName = text("a stream name (a letter or digit, then at most 63 letters, digits, _ and -)", (name) =>
  /^[a-z0-9][a-z0-9_-]{0,63}$/i.test(name),
);

const jsonPointer = text('a JSON pointer such as "/symbol"', (pointer) => /^(\/([^~/]|~[01])*)+$/.test(pointer));

const retention = object({
  age: bound("24h", parseDuration),
  events: bound("1_000_000", parseCount, "none"),
  bytes: bound("1GiB", parseSize),
  keys: bound("100_000", parseCount),
}).transform(({ age, events, bytes, keys }) => ({
  age: age ?? undefined,
  events: events ?? undefined,
  bytes: bytes ?? undefined,
  keys: keys ?? undefined,
}));

/** A listener for messages, and those for the control events, must not get it. */
const heartbeatEvent = text(
  "an event type of 1 to 256 characters without comma and control characters, not message, connected or spillway.…",
  (type) =>
    /^[^\u0000-\u001f\u007f,]{1,256}$/.test(type) &&
    ![defaultEventType, "connected"].includes(type) &&
    !type.startsWith(reservedPrefix),
);

const interval = duration("15s", 10);

const heartbeat = z
  .union(
    [
      interval.unwrap().transform((length) => ({ interval: length, event: undefined })),
      object({ interval, event: heartbeatEvent.optional() }).transform((parsed) => ({
        interval: parsed.interval,
        event: parsed.event,
      })),
    ],
    { error: 'a duration such as "15s" (at least 10ms, at most 24d), or { interval, event }' },
  )
  .prefault({});

const stream = object({
  upstream: upstreamSchema.optional(),
  channel: jsonPointer.optional(),
  ids: z.enum(["gateway", "upstream"]).default("gateway"),
  retention: retention.prefault({}),
  heartbeat,
  retry: duration("2s").unwrap().optional(),
  coalesce: duration("0ms", 0, 10_000),
}).transform(({ upstream, channel, retry, ...rest }): StreamOptions => ({
  ...rest,
  upstream,
  hasUpstream: upstream !== undefined,
  channel,
  retry,
}));

function parseStore(input: unknown): string | undefined {
  if (input === "memory") return "memory:";
  return typeof input === "string" && isStoreUrl(input) ? input : undefined;
}

const maxWorkers = 256;

function parseWorkers(input: unknown): number | undefined {
  const workers = input === "auto" ? Math.min(availableParallelism(), maxWorkers) : parseCount(input);
  return workers !== undefined && workers >= 1 && workers <= maxWorkers ? workers : undefined;
}

/** The whole configuration. `preset` is known here, and was worked in before. */
export const configSchema: z.ZodType<ParsedConfig, GatewayConfig> = object({
  preset: z.enum(["surflux"]).optional(),
  listen: value<string | number, ListenAddress>('an address such as "127.0.0.1:8080" or a port', parseListen).prefault(
    "127.0.0.1:8080",
  ),
  store: value<string, string>(storeExpected, parseStore).prefault("sqlite:./spillway.db"),
  sqlite: object({ synchronous: z.enum(["full", "normal"]).default("full") }).prefault({}),
  cluster: object({
    lease: duration("10s", 1000, 3_600_000),
    node: text("a name of 1 to 64 letters, digits, _ . : and -", (name) => /^[\w.:-]{1,64}$/.test(name)).optional(),
  }).prefault({}),
  workers: value<Count, number>(`"auto" or a whole number from 1 to ${maxWorkers}`, parseWorkers).prefault(1),
  tls: object({ cert: pemPath, key: pemPath }).optional(),
  trustProxy: z
    .array(text("an address, or a network such as 10.0.0.0/8", isNetwork), "a list of addresses")
    .default([]),
  hosts: z
    .array(
      text('a host name without a port, such as "feed.example" or "*.example"', (host) =>
        /^[\w.*:-]{1,255}$/.test(host),
      ),
      "a list of host names",
    )
    .optional(),
  drain: duration("10s"),
  static: folder.optional(),
  default: z.string().optional(),
  streams: z.record(streamName, stream).refine((streams) => Object.keys(streams).length > 0, "at least one stream"),
  access: accessSchema.optional(),
  limits: limitsSchema.prefault({}),
});
