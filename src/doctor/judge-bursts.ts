import { fail, ok, warn, type Check } from "./check.ts";
import { lateAfter } from "./judge-flow.ts";
import { settingFor, type FoundHop } from "./hops.ts";
import { readableTime } from "./quantity.ts";
import type { Arrival } from "./stream-probe.ts";

const name = "bursts";

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
  if (spread <= lateAfter(timeout)) return ok(name, found);
  return warn(name, `${found}: they are held and let go together`, settingFor("buffered", hops));
}

/** Comments that came closer than this came together, in ms: no heartbeat is that short. */
const together = 5;

function judgeHeartbeats(arrivals: readonly Arrival[], hops: readonly FoundHop[]): Check {
  const beats = arrivals.filter(({ event }) => event === undefined);
  if (beats.length < 2) {
    return ok(name, "too little came to judge by but the first event; --publish sends events of its own");
  }
  const joined = beats.filter(({ at }, index) => index > 0 && at - beats[index - 1]!.at < together).length;
  if (joined === 0) return ok(name, `${beats.length} heartbeats came one by one`);
  const found = `${joined} of ${beats.length} heartbeats came together with the one before`;
  return warn(name, found, settingFor("buffered", hops));
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
    return fail(name, `a published event did not arrive within ${readableTime(timeout)}`, setting);
  }
  const found = `${delays.length} published events came one by one, the slowest after ${readableTime(slowest)}`;
  return slowest <= lateAfter(timeout) ? ok(name, found) : warn(name, found, setting);
}

/** The publishing was refused. */
export function notPublished(problem: string): Check {
  return warn(name, `an event could not be published: ${problem}`, "give a key with the right to: --publish-key");
}
