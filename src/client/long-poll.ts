import type { Control, Message } from "./message.ts";
import type { Queue } from "./queue.ts";

/** How long a request waits for an event, in s. */
export const pollWait = 25;

/** A page of a long poll: PROTOCOL.md, section 7. */
interface Page {
  readonly events: readonly { readonly id: string | null; readonly event: string; readonly data: string }[];
  readonly next: string;
  readonly gap: (Control & { readonly epoch?: string }) | null;
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
    queue.push({ type, raw: JSON.stringify(gap), id: position, control: gap });
  }
  for (const { id, event, data } of events) queue.push({ type: event, raw: data, id: id ?? position });
  // A page that is not full is the last one for now.
  queue.push({ type: "", raw: "", id: next, control: {}, caughtUp: events.length < mostEvents });
  return next;
}
