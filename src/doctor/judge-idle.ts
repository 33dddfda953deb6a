import { fail, ok, warn, type Check } from "./check.ts";
import { settingFor, type FoundHop } from "./hops.ts";
import { readableTime } from "./quantity.ts";
import { goodbyeOf, type StreamProbe } from "./stream-probe.ts";

/** Whether the connection outlasts silence, and who ends it if not. */
export function judgeIdle(probe: StreamProbe, hops: readonly FoundHop[], spillway: boolean): Check {
  const name = "idle";
  const { end, head, lastAt = 0 } = probe;
  if (!end) return ok(name, `open for ${readableTime(probe.now())}, ${silences(probe)}`);
  const reason = goodbyeOf(probe);
  if (reason !== undefined) {
    const advice = "right if it was stopped or the access has ended; else look at its log";
    return warn(name, `the server itself said goodbye (${reason}) after ${readableTime(end.at)}`, advice);
  }
  const silence = end.at - Math.max(lastAt, head?.at ?? 0);
  const how = end.how === "complete" ? "ended in order" : `cut (${end.reason ?? "connection closed"})`;
  const found = `${how} after ${readableTime(end.at)}, ${readableTime(silence)} after the last byte`;
  if (end.how === "complete" && !spillway) {
    return warn(name, found, `if the source did not end it: ${settingFor("cut", hops)}`);
  }
  const setting = settingFor("cut", hops);
  return fail(name, `${found}, without a goodbye of the server`, remedy(silence, end.at, setting));
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
