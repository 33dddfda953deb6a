import { inSlices, sliceSize } from "../util/event-loop.ts";
import { monotonicMs } from "../util/durations.ts";
import type { Format } from "./format.ts";
import { createPage, type Page } from "./page.ts";
import type { Subscriber } from "./subscriber.ts";
import type { View } from "./view.ts";

/** How a silent connection is kept alive. */
export interface Heartbeat {
  /** The longest silence on a connection, in ms. */
  readonly interval: number;
  /** The type of the heartbeat event; absent to send a comment. */
  readonly event: string | undefined;
}

export interface HeartbeatOptions {
  readonly heartbeat: Heartbeat;
  /** A subscriber that receives none of its unsent bytes for this long, in ms, is cut. */
  readonly stall: number;
}

/** A hub with subscribers, as needed by a heartbeat pass. */
interface BeatingHub {
  readonly subscribers: ReadonlySet<Subscriber>;
  readonly options: HeartbeatOptions;
  /** The cursor of a position. Used instead of upstream ids, because a filter may hide the event at that position. */
  readonly cursorAt: (seq: number) => string;
}

/** The hubs of this process by the period of their passes, in ms. Hubs with the same period share a timer. */
const hubsByPeriod = new Map<number, Set<BeatingHub>>();

/** Checks all subscribers of a hub a few times per heartbeat interval, until the returned function is called. */
export function startHeartbeat(hub: BeatingHub): () => void {
  const period = Math.max(5, Math.min(hub.options.heartbeat.interval, hub.options.stall) / 5);
  const hubs = hubsByPeriod.get(period) ?? startPasses(period);
  hubs.add(hub);
  return () => void hubs.delete(hub);
}

/** Starts the passes over the hubs of a period. They end when there is no hub left. */
function startPasses(period: number): Set<BeatingHub> {
  const hubs = new Set<BeatingHub>();
  hubsByPeriod.set(period, hubs);
  let passing = false;
  const timer = setInterval(() => {
    if (passing) return;
    passing = true;
    pass(hubs, period, () => (passing = false));
    if (hubs.size > 0) return;
    hubsByPeriod.delete(period);
    clearInterval(timer);
  }, period);
  timer.unref();
  return hubs;
}

/**
 * Checks the subscribers of all hubs, in slices that span hubs, so that many small hubs cost no more than a large one.
 */
function pass(hubs: ReadonlySet<BeatingHub>, period: number, done: () => void): void {
  let beat: (subscriber: Subscriber) => void;
  const steps = Array.from(hubs, (hub) => [hub, ...hub.subscribers]).flat();
  const visit = (step: BeatingHub | Subscriber): void => {
    if ("subscribers" in step) beat = createBeat(step, period);
    else beat(step);
  };
  inSlices(steps, sliceSize, visit, done);
}

function createBeat({ options, cursorAt }: BeatingHub, period: number): (subscriber: Subscriber) => void {
  const { heartbeat, stall } = options;
  const now = monotonicMs();
  const pages = new Map<View<Subscriber> | Format, Page>();
  const pageOf = (key: View<Subscriber> | Format, format: Format, id: string | undefined): Page => {
    let page = pages.get(key);
    if (!page) pages.set(key, (page = createPage(format.heartbeat(id, heartbeat.event))));
    return page;
  };
  return (subscriber) => {
    if (subscriber.closed) return;
    if (isStalled(subscriber, now, stall)) return subscriber.close("stalled");
    if (subscriber.sink.full || now - subscriber.writtenAt < heartbeat.interval - period) return;
    const { view } = subscriber;
    // Only with a filter can a subscriber's position be past its last event. A subscriber that has read the log beyond
    // the hub's head must not be set back.
    const moved =
      view.filter && subscriber.live && subscriber.position <= view.position && !view.dirty && !view.flushing;
    const page = moved
      ? pageOf(view, view.format, cursorAt(view.position))
      : pageOf(view.format, view.format, undefined);
    subscriber.send(page, now);
  };
}

function isStalled(subscriber: Subscriber, now: number, stall: number): boolean {
  const { pending, sent } = subscriber.sink;
  if (pending === 0 || sent !== subscriber.sent) subscriber.sentAt = now;
  subscriber.sent = sent;
  return now - subscriber.sentAt > stall;
}
