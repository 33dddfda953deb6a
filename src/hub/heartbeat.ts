import { inSlices, sliceSize } from "../util/slices.ts";
import { monotonicMs } from "../util/monotonic-ms.ts";
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

/** The subscribers of a hub, as a pass looks at them. */
interface BeatingHub {
  readonly subscribers: ReadonlySet<Subscriber>;
  readonly options: HeartbeatOptions;
  /** The cursor of a place in the log: a filter may hide the event whose id the upstream gave. */
  readonly cursorAt: (seq: number) => string;
}

/** The hubs of this process, by the period in which their subscribers are looked at, in ms: one timer for all that share it. */
const hubsByPeriod = new Map<number, Set<BeatingHub>>();

/** Looks at all subscribers of a hub a few times per heartbeat, until the returned function is called. */
export function startHeartbeat(hub: BeatingHub): () => void {
  const period = Math.max(5, Math.min(hub.options.heartbeat.interval, hub.options.stall) / 5);
  const hubs = hubsByPeriod.get(period) ?? startPasses(period);
  hubs.add(hub);
  return () => void hubs.delete(hub);
}

/** Passes over the hubs of a period as long as there are any. */
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

/** Looks at each hub's subscribers, all in the same slices: it makes no difference over how many hubs they are spread. */
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
    // Only a filtered subscriber can be past what it was sent. One that has read the log beyond the head must not be sent back.
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
