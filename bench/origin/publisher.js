/** The origin as a publisher: posts the feed to a server that takes events no other way. */
import { Client } from "undici";

/** Requests under way on the one connection: they are answered in order, so the events stay in order too. */
const pipelining = 64;

/**
 * @param {string} url where events are posted; `{channel}` in it is replaced by the event's channel
 */
export function createPublisher(url) {
  const { origin } = new URL(url);
  const template = url.slice(origin.length);
  const client = new Client(origin, { pipelining });
  let underWay = 0;
  /** @type {Error | undefined} */
  let failure;

  /** @param {import("./feed.js").FeedEvent} event */
  async function post({ channel, data }) {
    underWay++;
    try {
      const path = template.replace("{channel}", channel);
      const { statusCode, body } = await client.request({
        path,
        method: "POST",
        body: data,
        idempotent: true,
        blocking: false,
      });
      await body.dump();
      if (statusCode >= 300) failure ??= new Error(`${path} answers a post with ${statusCode}`);
    } catch (error) {
      failure ??= /** @type {Error} */ (error);
    } finally {
      underWay--;
    }
  }

  return {
    /** @param {readonly import("./feed.js").FeedEvent[]} events */
    publish(events) {
      for (const event of events) void post(event);
    },
    /** Whether as much is under way as goes at once. */
    get full() {
      return underWay >= pipelining;
    },
    get idle() {
      if (failure) throw failure;
      return underWay === 0;
    },
  };
}
