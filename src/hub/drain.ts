import type { DrainPlan } from "./hub.ts";
import { inSlices, sliceSize } from "../util/event-loop.ts";
import type { ControlEvents } from "./control.ts";
import type { Format } from "./format.ts";
import { createPage, type Page } from "./page.ts";
import type { Subscriber } from "./subscriber.ts";

/** The interval between two groups of released subscribers, in ms. */
const tick = 20;

/**
 * The number of different reconnect delays, so that only this many pages are encoded instead of one for each
 * subscriber.
 */
const variants = 64;

/** Drains subscribers gradually: `release` is called for each with its final event. Resolves after the last. */
export async function drainSubscribers(
  subscribers: readonly Subscriber[],
  plan: DrainPlan,
  release: (subscriber: Subscriber, bye: Page) => void,
): Promise<void> {
  const byes = createByes(plan);
  const visit = (subscriber: Subscriber): void => {
    if (!subscriber.closed) release(subscriber, byes(subscriber.view.format));
  };
  const startedAt = performance.now();
  for (let done = 0; ;) {
    // Uses the elapsed time, because timers of a busy process are late, and clients that are not released in time are
    // cut.
    const passed = performance.now() - startedAt + tick;
    const due = passed < plan.over ? Math.ceil((subscribers.length * passed) / plan.over) : subscribers.length;
    const next = subscribers.slice(done, due);
    done = due;
    await new Promise<unknown>((resolve) => inSlices(next, sliceSize, visit, resolve));
    if (done === subscribers.length) return;
    await new Promise((resolve) => setTimeout(resolve, tick));
  }
}

/** Final events with random reconnect delays, so that clients do not reconnect all at once. */
function createByes({ reason, retry: [min, max] }: DrainPlan): (format: Format) => Page {
  const pages = new Map<Format, Page[]>();
  return (format) => {
    let known = pages.get(format);
    if (!known) pages.set(format, (known = []));
    const variant = Math.floor(Math.random() * variants);
    const retry = Math.round(min + ((max - min) * variant) / (variants - 1));
    return (known[variant] ??= createBye(format, { reason, retry }));
  };
}

/** The page that ends a subscription. */
export function createBye(format: Format, bye: ControlEvents["spillway.bye"]): Page {
  return createPage(format.control("spillway.bye", bye));
}
