import { inSlices, sliceSize } from "../util/slices.ts";
import { ticks } from "../util/ticks.ts";
import { createPage, type Page } from "./page.ts";
import type { Subscriber } from "./subscriber.ts";
import type { View } from "./view.ts";

export interface HeartbeatOptions {
  /** Longest silence towards a subscriber, in ms. */
  readonly heartbeat: number;
  /** A subscriber whose unsent bytes have not become fewer for this long, in ms, is cut. */
  readonly stall: number;
}

/** The id of a place in the log, if it has one. */
type IdAt = (seq: number) => string | undefined;

/** Passes over all subscribers a few times per heartbeat: one timer, however many they are. Returns the way to stop it. */
export function startHeartbeat(
  subscribers: ReadonlySet<Subscriber>,
  options: HeartbeatOptions,
  idAt: IdAt,
): () => void {
  const period = Math.max(5, Math.min(options.heartbeat, options.stall) / 5);
  let passing = false;
  const timer = setInterval(() => {
    if (passing) return;
    passing = true;
    const beat = createBeat(options, period, idAt);
    inSlices([...subscribers], sliceSize, beat, () => (passing = false));
  }, period);
  timer.unref();
  return () => clearInterval(timer);
}

function createBeat(options: HeartbeatOptions, period: number, idAt: IdAt): (subscriber: Subscriber) => void {
  const now = ticks();
  const pages = new Map<View, Page>();
  const pageOf = (view: View): Page => {
    let page = pages.get(view);
    if (!page) {
      // Only a filtered subscriber can be past what it was sent.
      const id = view.filter && !view.dirty && !view.flushing ? idAt(view.position) : undefined;
      pages.set(view, (page = createPage(view.format.heartbeat(id))));
    }
    return page;
  };
  return (subscriber) => {
    if (subscriber.closed) return;
    if (isStalled(subscriber, now, options.stall)) return subscriber.close("stalled");
    if (subscriber.sink.full || now - subscriber.writtenAt < options.heartbeat - period) return;
    const { view } = subscriber;
    // One that has read the log beyond the head must not be sent back by a checkpoint.
    if (subscriber.live && subscriber.position <= view.position) subscriber.say(pageOf(view), now);
    else if (view.format.name === "sse") subscriber.say(bare, now);
  };
}

/** A comment without a position, for one that still waits for its place in the log to be read. */
const bare = createPage(":\n\n");

function isStalled(subscriber: Subscriber, now: number, stall: number): boolean {
  const { pending, sent } = subscriber.sink;
  if (pending === 0 || sent !== subscriber.sent) subscriber.sentAt = now;
  subscriber.sent = sent;
  return now - subscriber.sentAt > stall;
}
