import type { Message } from "./message.ts";
import type { Queue } from "./queue.ts";

/** How long a request waits for an event, in s. */
export const pollWait = 25;

/** A page of a long poll: PROTOCOL.md, section 7. */
interface Page {
  readonly events: readonly { readonly id: string | null; readonly event: string; readonly data: string }[];
  readonly next: string;
  readonly gap: { readonly epoch?: string } | null;
}

/** The default of `limit`. */
const mostEvents = 100;

/**
 * Delivers the page of a response as a stream would. It is loaded when a hop buffers streams, which few do.
 * @returns the position after it
 */
export async function deliverPage(response: Response, position: string, queue: Queue<Message>): Promise<string> {
  const { events, next, gap } = (await response.json()) as Page;
  if (gap) {
    const type = gap.epoch ? "spillway.reset" : "spillway.gap";
    queue.push({ type, raw: JSON.stringify(gap), id: position, control: true });
  }
  for (const { id, event, data } of events) {
    queue.push({ type: event, raw: data, id: id ?? position, control: false });
  }
  // A page that is not full is the last one for now, of which a heartbeat tells.
  const type = events.length < mostEvents ? "spillway.heartbeat" : "";
  queue.push({ type, raw: "", id: next, control: true });
  return next;
}
