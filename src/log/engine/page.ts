import { eventBytes } from "../event-bytes.ts";
import { matches } from "../filter.ts";
import type { LogEvent, LogPage, ReadOptions } from "../log.ts";
import type { ReadDriver, ScanStep } from "./driver.ts";

/** Events that a page looks at before it ends, where the filter lets few of them pass. */
const pageEvents = 1_000;

/** Reads a page, in several steps where the filter lets few events pass. */
export async function readPage(
  driver: Pick<ReadDriver, "scan">,
  after: number,
  { filter, limit, maxBytes = Infinity }: ReadOptions,
): Promise<LogPage> {
  const events: LogEvent[] = [];
  let collected = 0;
  let scanned = after;
  let looked = 0;

  /** Returns whether the page is full. */
  function take(event: LogEvent): boolean {
    scanned = event.seq;
    if (!matches(filter, event)) return false;
    events.push(event);
    collected += eventBytes(event);
    return events.length >= limit || collected >= maxBytes;
  }

  /** Returns whether the page is complete. */
  function takeStep({ events: found, seq, end, state }: ScanStep): boolean {
    if (limit <= 0 || found.some(take)) return true;
    scanned = Math.max(scanned, end ? state.head : seq);
    looked += found.length;
    return end || looked >= pageEvents;
  }

  const scan = (): Promise<ScanStep> => {
    const [wanted, bytes] = [Math.max(1, limit - events.length), Math.max(1, maxBytes - collected)];
    return driver.scan({ direction: "forward", filter, from: scanned, limit: wanted, maxBytes: bytes, live: false });
  };
  let step = await scan();
  const { earliest } = step.state;
  while (!takeStep(step)) {
    step = await scan();
    // Trimmed since the first step, beyond the events of this page: the next page shows that hole.
    if (step.state.earliest > Math.max(earliest, scanned + 1)) break;
  }
  return { events, scanned, earliest };
}
