import { inSlices, sliceSize } from "../util/slices.ts";
import { ticks } from "../util/ticks.ts";
import type { Format } from "./format.ts";
import { createPage, type Page } from "./page.ts";
import type { Subscriber } from "./subscriber.ts";
import type { View } from "./view.ts";

/** What keeps a silent connection alive. */
export interface Heartbeat {
  /** Longest silence towards a subscriber, in ms. */
  readonly interval: number;
  /** The type of the event that is sent; absent for a comment. */
  readonly event: string | undefined;
}

export interface HeartbeatOptions {
  readonly heartbeat: Heartbeat;
  /** A subscriber whose unsent bytes have not become fewer for this long, in ms, is cut. */
  readonly stall: number;
}

/** The id that clients resume with at a place in the log. */
type IdAt = (seq: number) => string;

/** Passes over all subscribers a few times per heartbeat: one timer, however many they are. Returns the way to stop it. */
export function startHeartbeat(
  subscribers: ReadonlySet<Subscriber>,
  options: HeartbeatOptions,
  idAt: IdAt,
): () => void {
  const period = Math.max(5, Math.min(options.heartbeat.interval, options.stall) / 5);
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

function createBeat(
  { heartbeat, stall }: HeartbeatOptions,
  period: number,
  idAt: IdAt,
): (subscriber: Subscriber) => void {
  const now = ticks();
  const pages = new Map<View | Format, Page>();
  const pageOf = (key: View | Format, format: Format, id: string | undefined): Page => {
    let page = pages.get(key);
    if (!page) pages.set(key, (page = createPage(format.heartbeat(id, heartbeat.event))));
    return page;
  };
  return (subscriber) => {
    if (subscriber.closed) return;
    if (isStalled(subscriber, now, stall)) return subscriber.close("stalled");
    if (subscriber.sink.full || now - subscriber.writtenAt < heartbeat.interval - period) return;
    const { view } = subscriber;
    // Only a filtered subscriber can be past what it was sent. One that has read the log beyond the head must not be sent back.
    const moved =
      view.filter && subscriber.live && subscriber.position <= view.position && !view.dirty && !view.flushing;
    const page = moved ? pageOf(view, view.format, idAt(view.position)) : pageOf(view.format, view.format, undefined);
    subscriber.say(page, now);
  };
}

function isStalled(subscriber: Subscriber, now: number, stall: number): boolean {
  const { pending, sent } = subscriber.sink;
  if (pending === 0 || sent !== subscriber.sent) subscriber.sentAt = now;
  subscriber.sent = sent;
  return now - subscriber.sentAt > stall;
}
