/** A client that reads slowly, while many events are published. */
import { setTimeout as sleep } from "node:timers/promises";
import { publish } from "spillway/client";
import { createParser } from "spillway/sse";

/** How many events are published, and how many of them in one request. */
const total = 10_000;
const batch = 500;
/** The reader's pace, in bytes per second. */
const pace = 2_000_000;
/** About 1 kB, like the best offers of an order book. */
const levels = Array.from({ length: 40 }, (_, level) => [97_250 - level, Number((level / 7).toFixed(3)), "limit"]);

/**
 * Subscribes to the stream `book`, reads slowly, and publishes events meanwhile.
 *
 * @param {string} origin The gateway's origin.
 * @param {string} key An API key that may publish.
 */
export function startSlowReader(origin, key) {
  const state = { total, published: 0, received: 0, missing: 0, twice: 0, unsent: 0, seconds: 0 };

  async function run() {
    const started = performance.now();
    const response = await fetch(`${origin}/streams/book`);
    if (!response.ok) throw new Error(`the gateway answered with ${response.status}`);
    const sampling = setInterval(() => void sample(origin, state), 100);
    try {
      await Promise.all([readSlowly(response.body, state), publishAll(origin, key, state)]);
    } finally {
      clearInterval(sampling);
      await response.body.cancel().catch(() => {});
    }
    state.seconds = (performance.now() - started) / 1000;
    return state;
  }

  return { state, done: run() };
}

async function publishAll(origin, key, state) {
  for (let first = 1; first <= total; first += batch) {
    const events = Array.from({ length: batch }, (_, i) => ({ event: "book", data: { n: first + i, levels } }));
    await publish(`${origin}/streams/book`, events, { token: key });
    state.published += batch;
  }
}

/** Reads until it has the last event. */
async function readSlowly(body, state) {
  let last = 0;
  const parser = createParser({
    onEvent({ event, data }) {
      if (event !== "book") return;
      const { n } = JSON.parse(data);
      if (n <= last) state.twice++;
      else state.missing += n - last - 1;
      state.received++;
      last = Math.max(last, n);
    },
  });
  for await (const bytes of body) {
    parser.push(bytes);
    if (last >= total) return;
    await sleep((bytes.length / pace) * 1000);
  }
  throw new Error(`the gateway ended the slow reader after event ${last}`);
}

/** Notes how much the gateway holds in memory for the slowest client of the stream. */
async function sample(origin, state) {
  try {
    const { subscribers } = await (await fetch(`${origin}/admin/subscribers?stream=book`)).json();
    for (const { unsent } of subscribers) state.unsent = Math.max(state.unsent, unsent);
  } catch {
    // The gateway is restarted meanwhile; the reader notices it.
  }
}
