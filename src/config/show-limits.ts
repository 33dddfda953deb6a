import type { Limits, Rate } from "../limits/options.ts";
import { formatDuration, formatSize } from "./units.ts";

/** The `limits` section as it could be written again. */
export function showLimits(limits: Limits): object {
  const bound = <Value>(value: Value | undefined, show: (value: Value) => unknown): unknown =>
    value === undefined ? "none" : show(value);
  const rate = ({ count, window }: Rate): string => `${count}/${formatDuration(window)}`;
  return {
    connections: limits.connections,
    perSubject: limits.perSubject ?? "none",
    perAddress: limits.perAddress ?? "none",
    connectRate: bound(limits.connectRate, rate),
    requestRate: bound(limits.requestRate, rate),
    failedCredentials: bound(limits.failedCredentials, rate),
    publishRate: bound(limits.publishRate, rate),
    channels: limits.channels,
    url: formatSize(limits.url),
    headers: formatSize(limits.headers),
    replays: limits.replays,
    replayWait: formatDuration(limits.replayWait),
    searches: limits.searches,
    outbox: formatSize(limits.outbox),
    stall: formatDuration(limits.stall),
    body: formatSize(limits.body),
    bodies: formatSize(limits.bodies),
    events: limits.events,
    timeouts: { headers: formatDuration(limits.timeouts.headers), body: formatDuration(limits.timeouts.body) },
    memory: bound(limits.memory, formatSize),
    lag: bound(limits.lag, formatDuration),
  };
}
