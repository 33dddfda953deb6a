import { fail, ok, readableTime, warn, type Check } from "./check.ts";

/** What the clocks say, in ms. */
export interface ClockReading {
  /** Since 1970. */
  readonly now: number;
  /** How much further the clock of the day went than the one that is never set, over the same time. */
  readonly stepped: number;
  /** The time of each stream's last event, since 1970; 0 where there is none. */
  readonly lastEvents: ReadonlyMap<string, number>;
}

/** No event is older than the project, and no machine of its time is this late. */
const [earliest, latest] = [Date.UTC(2025, 0), Date.UTC(2100, 0)];

/** Clocks of several machines differ by this much without harm, in ms. */
const tolerance = 1_000;

const synchronise = "synchronise the clock (chrony, systemd-timesyncd)";

export function checkClock({ now, stepped, lastEvents }: ClockReading): Check {
  if (!(now > earliest && now < latest)) {
    const found = `the clock cannot be right: it is ${now / 1_000} s since 1970`;
    return fail("clock", found, `${synchronise}: event times, retention and tokens depend on it`);
  }
  const time = new Date(now).toISOString();
  const [stream, last] = [...lastEvents].reduce((a, b) => (b[1] > a[1] ? b : a), ["", 0] as const);
  if (last > now + tolerance) {
    const found = `the clock (${time}) is ${readableTime(last - now)} behind the last event of ${stream}`;
    return warn("clock", found, `${synchronise}; until it has caught up, new events carry that event's time`);
  }
  if (Math.abs(stepped) > tolerance) {
    const found = `the clock was set by ${readableTime(Math.abs(stepped))} while it was looked at`;
    return warn("clock", found, `let it be slewed, not stepped: ${synchronise}`);
  }
  return ok("clock", time);
}
