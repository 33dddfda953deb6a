import type { Farewell } from "./hub.ts";
import { inSlices, sliceSize } from "../util/slices.ts";
import type { ControlEvents } from "./control.ts";
import type { Format } from "./format.ts";
import { createPage, type Page } from "./page.ts";
import type { Subscriber } from "./subscriber.ts";

/** How often some are let go, in ms. */
const tick = 20;

/** Different times to come back, over all who are let go: so many pages are encoded, not one for each. */
const variants = 64;

/** Lets subscribers go a few at a time: `letGo` is called for each with its goodbye. Resolves after the last. */
export async function sayFarewell(
  subscribers: readonly Subscriber[],
  farewell: Farewell,
  letGo: (subscriber: Subscriber, goodbye: Page) => void,
): Promise<void> {
  const goodbyes = createGoodbyes(farewell);
  const visit = (subscriber: Subscriber): void => {
    if (!subscriber.closed) letGo(subscriber, goodbyes(subscriber.view.format));
  };
  const startedAt = performance.now();
  for (let done = 0; ;) {
    // By the clock: timers of a busy process are late, and who has not gone in time is cut off.
    const passed = performance.now() - startedAt + tick;
    const due = passed < farewell.over ? Math.ceil((subscribers.length * passed) / farewell.over) : subscribers.length;
    const next = subscribers.slice(done, due);
    done = due;
    await new Promise<unknown>((resolve) => inSlices(next, sliceSize, visit, resolve));
    if (done === subscribers.length) return;
    await new Promise((resolve) => setTimeout(resolve, tick));
  }
}

/** Goodbyes that ask to come back at random times, so that not all do so at once. */
function createGoodbyes({ reason, retry: [min, max] }: Farewell): (format: Format) => Page {
  const pages = new Map<Format, Page[]>();
  return (format) => {
    let known = pages.get(format);
    if (!known) pages.set(format, (known = []));
    const variant = Math.floor(Math.random() * variants);
    const retry = Math.round(min + ((max - min) * variant) / (variants - 1));
    return (known[variant] ??= createGoodbye(format, { reason, retry }));
  };
}

/** The page that ends a subscription. */
export function createGoodbye(format: Format, bye: ControlEvents["spillway.bye"]): Page {
  return createPage(format.control("spillway.bye", bye));
}
