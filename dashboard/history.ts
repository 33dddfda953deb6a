/** The last ten minutes, as the gateway has recorded them. */
import { signal, type Signal } from "@preact/signals";
import type { History, HistoryNumber } from "../src/http/diagnostics.ts";
import { load } from "./api.ts";
import { useInterval } from "./poll.ts";

const kept = 600_000;

/** All samples that are known here. */
export const history: Signal<History> = signal({ interval: 5000, times: [], streams: {} });

/** Keeps {@link history} up to date while a component is shown. Only what is new is requested. */
export function useHistory(): void {
  useInterval(async (aborted) => {
    const last = history.peek().times.at(-1) ?? 0;
    const fresh = await load<History>(`admin/history?after=${last}`, aborted).catch(() => undefined);
    if (fresh && fresh.times.length > 0 && !aborted.aborted) history.value = join(history.peek(), fresh);
  }, 5000);
}

function join(known: History, fresh: History): History {
  const begin = fresh.times.at(-1)! - kept;
  const from = known.times.findIndex((time) => time > begin);
  const times = from === -1 ? [] : known.times.slice(from);
  const streams = Object.entries(fresh.streams).map(([name, numbers]) => {
    const before = known.streams[name];
    const add = (each: HistoryNumber): (number | null)[] => [
      ...(before && from !== -1 ? before[each].slice(from) : times.map(() => null)),
      ...numbers[each],
    ];
    const lists = {
      stored: add("stored"),
      delivered: add("delivered"),
      subscribers: add("subscribers"),
      lag: add("lag"),
    };
    return [name, lists] as const;
  });
  return { interval: fresh.interval, times: [...times, ...fresh.times], streams: Object.fromEntries(streams) };
}

/** How many events per second were stored or delivered between one sample and the next. */
export function rates({ times, streams }: History, stream: string, of: "stored" | "delivered"): (number | null)[] {
  const counts = streams[stream]?.[of] ?? [];
  return counts.slice(1).map((count, index) => {
    const before = counts[index] ?? null;
    const seconds = (times[index + 1]! - times[index]!) / 1000;
    // A new log counts from zero.
    return count === null || before === null || seconds <= 0 ? null : Math.max(0, count - before) / seconds;
  });
}
