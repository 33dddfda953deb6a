/** The `limits` section. */
import type { z } from "zod";
import type { Limits, Rate } from "../limits/options.ts";
import { longestTimer } from "../util/timeout.ts";
import type { LimitsConfig } from "./config.ts";
import { bound, count, duration, invalid, object, size, value, whole, type Optional } from "./fields.ts";
import { formatDuration, parseCount, parseDuration } from "./units.ts";

const perOne = bound("Count", "20", "none");

/** A rate of calls. */
export const rate = (example: string, fallback = "none"): Optional<Rate | undefined, string> =>
  value<string, Rate | undefined>({
    expected: `"none" or a rate such as "${example}" over at most 24d`,
    type: "string",
    parse: (input) => (input === "none" ? undefined : parseRate(input)),
    print: (most) => (most === undefined ? "none" : `${most.count}/${formatDuration(most.window)}`),
  }).prefault(fallback);

function parseRate(input: unknown): Rate | typeof invalid {
  const [most, time, rest] = typeof input === "string" ? input.split("/") : [];
  const [parsed, window] = [parseCount(most), parseDuration(time)];
  if (!parsed || !window || window > longestTimer || rest !== undefined) return invalid;
  return { count: parsed, window };
}

const timeouts = object({
  headers: duration("10s", 10).describe(
    "How long a request's headers may take to arrive; then the connection is closed.",
  ),
  body: duration("30s", 10).describe("How long a request's body may take to arrive; then the answer is 408."),
}).meta({ title: "RequestTimeoutsConfig", description: "How long a request may take to arrive." });

const shape = object({
  connections: count("50_000", 10_000_000).describe(
    "Subscriptions and held long polls, over all workers; beyond it 503. [Limits](../guides/limits.md) explains each limit.",
  ),
  perSubject: perOne.describe("Subscriptions and held long polls of one key or user; beyond it 429."),
  perAddress: perOne.describe("Subscriptions and held long polls of one address; beyond it 429."),
  connectRate: rate("100/15m").describe(
    "Rate of new subscriptions of one key or user, and of attempts of one address: `100/15m`; beyond it 429.",
  ),
  requestRate: rate("1000/1m").describe(
    "Rate of requests of one address, counted before they are processed: `1000/1m`; beyond it 429.",
  ),
  failedCredentials: rate("20/1m", "20/1m").describe(
    "Rate of different unknown credentials, and of webhooks with a wrong signature, from one address; beyond it 429 for a time that doubles, from 1 s to 5 min. Credentials that were valid from the address before are still accepted.",
  ),
  publishRate: rate("100/1s").describe(
    "Rate of publish requests of one key or user, or of one address if anonymous, and of webhooks to one stream: `100/1s`; beyond it 429.",
  ),
  channels: count(100, 1000).describe("Names in the filter of one subscription, at most 1000; beyond it 400."),
  filters: count(200, 10_000).describe(
    "Different [filter expressions](../guides/filters.md) on one stream in one process; one client can use at most half. Those of grants have as many places of their own. Beyond it 503.",
  ),
  url: size("8KiB").describe("Length of a request's path and query; beyond it 414."),
  headers: size("16KiB").describe("Total size of a request's headers; beyond it 431."),
  replays: count("5_000", 10_000_000).describe("Concurrent replays; other subscriptions wait."),
  replayWait: duration("10s").describe("How long a subscription waits for its replay; then the answer is 503."),
  searches: count(8, 10_000).describe(
    "Concurrent searches of a log in one process: `last` with a filter, long polls whose filter matches few events, and requests for the rest of a run. Others wait for up to `limits.replayWait`; one address can use at most half.",
  ),
  outbox: size("256KiB").describe(
    "Unsent bytes held for one subscriber; beyond it the subscriber is served from the log at its own pace.",
  ),
  stall: duration("60s", 10).describe(
    "A subscriber whose socket accepts nothing for this long is disconnected; at least `10ms`.",
  ),
  maxDuration: bound("Duration", "none", "none").describe(
    "How long a subscription or a long poll may last: `50s`. It then ends with `spillway.bye`, at most a tenth earlier, and the client resumes. Requests that a route forwards for one client are not limited. For platforms that cut off long responses.",
  ),
  body: size("1MiB").describe(
    "Largest body of a publish request or a webhook, at most half of `limits.bodies`; beyond it the answer is 413.",
  ),
  bodies: size("64MiB").describe(
    "Total size of the publish request bodies that one process reads or stores at a time; one address can use at most half. Beyond it the answer is 503.",
  ),
  events: count("10_000", 10_000_000).describe("Events of one publish request; beyond it the answer is 413."),
  runs: size("1GiB").describe(
    "Total size of all stored [runs](../guides/resumable-llm-streams.md); beyond it the oldest are removed. One key or user, or one address if anonymous, can use at most half; beyond that 429.",
  ),
  timeouts: timeouts.prefault({}),
  memory: bound("Size", "2GiB", "none").describe(
    "Resident memory of a process above which it refuses new subscriptions (503).",
  ),
  lag: bound("Duration", "2s").describe(
    "Delay of a process's event loop above which it refuses new subscriptions (503).",
  ),
}).refine(({ body, bodies }) => 2 * body <= bodies, {
  message: "at most half of limits.bodies, which is what one address may use",
  path: ["body"],
});

/** The `limits` section. */
export const limitsSchema: z.ZodType<Limits, LimitsConfig> = whole(shape).meta({
  title: "LimitsConfig",
  description: "Limits on what clients can use. `none` disables the limits that allow it.",
});
