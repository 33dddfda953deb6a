import { fail, ok, readableTime, warn, type Check } from "./check.ts";
import { settingFor, type FoundHop } from "./hops.ts";
import { lateAfter } from "./judge-response.ts";
import { goodbyeOf, type Arrival, type StreamProbe } from "./stream-probe.ts";

/**
 * Whether events came when they were made, by the server's own times. The two clocks need not agree: what counts is how much
 * the delay varies.
 * @param times of the events in ms, by their ids
 */
export function judgeBursts(
  arrivals: readonly Arrival[],
  times: ReadonlyMap<string, number>,
  hops: readonly FoundHop[],
  timeout: number,
): Check {
  const delays = arrivals.flatMap(({ at, id }) => {
    const time = id === undefined ? undefined : times.get(id);
    return time === undefined ? [] : [at - time];
  });
  if (delays.length < 2) return judgeHeartbeats(arrivals, hops);
  const spread = Math.max(...delays) - Math.min(...delays);
  const found = `${delays.length} events, the delay of which varies by ${readableTime(spread)}`;
  if (spread <= lateAfter(timeout)) return ok("bursts", found);
  return warn("bursts", `${found}: they are held and let go together`, settingFor("buffered", hops));
}

/** Comments that came closer than this came together, in ms: no heartbeat is that short. */
const together = 5;

function judgeHeartbeats(arrivals: readonly Arrival[], hops: readonly FoundHop[]): Check {
  const beats = arrivals.filter(({ event }) => event === undefined);
  if (beats.length < 2) {
    return ok("bursts", "too little came to judge by but the first event; --publish sends events of its own");
  }
  const joined = beats.filter(({ at }, index) => index > 0 && at - beats[index - 1]!.at < together).length;
  if (joined === 0) return ok("bursts", `${beats.length} heartbeats came one by one`);
  const found = `${joined} of ${beats.length} heartbeats came together with the one before`;
  return warn("bursts", found, settingFor("buffered", hops));
}

/** What became of an event that was published to see it arrive. */
export interface Publication {
  /** Until it arrived, from the moment it was sent, in ms; `undefined` where it did not within the timeout. */
  readonly delay: number | undefined;
}

/** Each was published only when the one before had arrived. */
export function judgePublications(
  publications: readonly Publication[],
  hops: readonly FoundHop[],
  timeout: number,
): Check {
  const delays = publications.map(({ delay }) => delay ?? Infinity);
  const slowest = Math.max(...delays);
  const setting = settingFor("buffered", hops);
  if (slowest === Infinity) {
    return fail("bursts", `a published event did not arrive within ${readableTime(timeout)}`, setting);
  }
  const found = `${delays.length} published events came one by one, the slowest after ${readableTime(slowest)}`;
  return slowest <= lateAfter(timeout) ? ok("bursts", found) : warn("bursts", found, setting);
}

/** The publishing was refused. */
export function notPublished(problem: string): Check {
  return warn("bursts", `an event could not be published: ${problem}`, "give a key with the right to: --publish-key");
}

/** Whether the connection outlasts silence, and who ends it if not. */
export function judgeIdle(probe: StreamProbe, hops: readonly FoundHop[], spillway: boolean): Check {
  const { end, head, lastAt = 0 } = probe;
  if (!end) return ok("idle", `open for ${readableTime(probe.now())}, ${silences(probe)}`);
  const reason = goodbyeOf(probe);
  if (reason !== undefined) {
    const advice = "right if it was stopped or the access has ended; else look at its log";
    return warn("idle", `the server itself said goodbye (${reason}) after ${readableTime(end.at)}`, advice);
  }
  const silence = end.at - Math.max(lastAt, head?.at ?? 0);
  const how = end.how === "complete" ? "ended in order" : `cut (${end.reason ?? "connection closed"})`;
  const found = `${how} after ${readableTime(end.at)}, ${readableTime(silence)} after the last byte`;
  if (end.how === "complete" && !spillway) {
    return warn("idle", found, `if the source did not end it: ${settingFor("cut", hops)}`);
  }
  const setting = settingFor("cut", hops);
  return fail("idle", `${found}, without a goodbye of the server`, remedy(silence, end.at, setting));
}

/** A hop that counts silence is met by noise too; one that bounds the whole response is not. */
function remedy(silence: number, lasted: number, setting: string): string {
  if (silence < lasted / 5) return `a hop bounds the whole response: ${setting}`;
  return `${setting}; or lower the stream's heartbeat below ${readableTime(silence)}`;
}

/** The longest silence that was borne. */
function silences(probe: StreamProbe): string {
  const times = [...probe.arrivals.map(({ at }) => at), probe.now()];
  const gaps = times.map((at, index) => at - (times[index - 1] ?? probe.head?.at ?? 0));
  return `the longest silence ${readableTime(Math.max(...gaps))}`;
}
