/** The numbered origin, a process of its own: paces events, or makes them at once, or as fast as they are taken. */
import { setImmediate, setTimeout } from "node:timers/promises";
import { createPublisher } from "./origin/publisher.js";
import { Feed } from "./origin/feed.js";
import { startSource } from "./origin/source.js";
import { nowMicros } from "./load/clock.js";
import { answerCalls } from "./rpc.js";

/** Events of a flood that are made at once. */
const step = 1024;

/** @type {Feed} */
let feed;
/** @type {Awaited<ReturnType<typeof startSource>>} */
let source;
/** @type {ReturnType<typeof createPublisher> | undefined} */
let publisher;
let stopped = false;

/** @param {number} count */
function emit(count) {
  if (count <= 0) return;
  const before = feed.count;
  const events = feed.next(count);
  if (publisher) publisher.publish(events);
  else source.flush(before);
}

/** Resolves when what was posted is answered. */
async function settled() {
  while (publisher && !publisher.idle) await setTimeout(1);
}

async function finish(/** @type {number} */ startedAt) {
  await settled();
  return { last: feed.last, count: feed.count, startedAt };
}

answerCalls({
  async start({ size, channels }) {
    feed = new Feed({ size, channels });
    source = await startSource(feed);
    return source.url;
  },
  /** From now on events are posted to this URL. */
  publishTo({ url }) {
    publisher = createPublisher(url);
  },
  subscribers: () => source.subscribers.size,
  /** `count` events, `rate` a second, one by one as they are due; `stop` ends it early. */
  async paced({ rate, count }) {
    const startedAt = nowMicros();
    stopped = false;
    for (let made = 0; made < count && !stopped;) {
      const due = Math.min(count, Math.floor(((nowMicros() - startedAt) * rate) / 1e6) + 1);
      emit(due - made);
      made = due;
      await setTimeout(Math.max(1, Math.min(20, 500 / rate)));
    }
    return finish(startedAt);
  },
  stop() {
    stopped = true;
  },
  /** `count` events at once. */
  burst({ count }) {
    const startedAt = nowMicros();
    emit(count);
    return finish(startedAt);
  },
  /** As fast as they are taken, for so many seconds or until so many are made. */
  async flood({ seconds = Infinity, count = Infinity }) {
    const startedAt = nowMicros();
    for (let left = count; left > 0 && nowMicros() - startedAt < seconds * 1e6; await setImmediate()) {
      if ((publisher ?? source).full) await setTimeout(1);
      else {
        emit(Math.min(step, left));
        left -= step;
      }
    }
    return finish(startedAt);
  },
});
