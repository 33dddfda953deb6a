import type { z } from "zod";
import type { Limits, Rate } from "../limits/options.ts";
import { bound, count, duration, object, size, value, type Optional } from "./fields.ts";
import type { LimitsConfig } from "./limits-config.ts";
import { longestTimer, parseCount, parseDuration, parseSize } from "./units.ts";

const perOne = bound("20", parseCount, "none");

const rate = (example: string, fallback = "none"): Optional<Rate | null, string> =>
  value<string, Rate | null>(`"none" or a rate such as "${example}", its time at most 24d`, (input) =>
    input === "none" ? null : parseRate(input),
  ).prefault(fallback);

function parseRate(input: unknown): Rate | undefined {
  const [most, time, rest] = typeof input === "string" ? input.split("/") : [];
  const [parsed, window] = [parseCount(most), parseDuration(time)];
  if (!parsed || !window || window > longestTimer || rest !== undefined) return undefined;
  return { count: parsed, window };
}

const shape = object({
  connections: count("50_000", 10_000_000),
  perSubject: perOne,
  perAddress: perOne,
  connectRate: rate("100/15m"),
  requestRate: rate("1000/1m"),
  failedCredentials: rate("20/1m", "20/1m"),
  publishRate: rate("100/1s"),
  channels: count(100, 1000),
  url: size("8KiB"),
  headers: size("16KiB"),
  replays: count("5_000", 10_000_000),
  replayWait: duration("10s"),
  searches: count(8, 10_000),
  outbox: size("256KiB"),
  stall: duration("60s", 10),
  body: size("1MiB"),
  bodies: size("64MiB"),
  events: count("10_000", 10_000_000),
  timeouts: object({ headers: duration("10s", 10), body: duration("30s", 10) }).prefault({}),
  memory: bound("2GiB", parseSize, "none"),
  lag: bound("2s", parseDuration),
});

/** The `limits` section. */
export const limitsSchema: z.ZodType<Limits, LimitsConfig> = shape
  .refine(({ body, bodies }) => 2 * body <= bodies, {
    message: "at most half of limits.bodies, which is what one address may use",
    path: ["body"],
  })
  .transform((parsed) => ({
    ...parsed,
    perSubject: parsed.perSubject ?? undefined,
    perAddress: parsed.perAddress ?? undefined,
    connectRate: parsed.connectRate ?? undefined,
    requestRate: parsed.requestRate ?? undefined,
    failedCredentials: parsed.failedCredentials ?? undefined,
    publishRate: parsed.publishRate ?? undefined,
    memory: parsed.memory ?? undefined,
    lag: parsed.lag ?? undefined,
  }));
