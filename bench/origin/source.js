/** The origin as an event source: serves the feed, supports resuming, and keeps events for clients with a full socket. */
import { once } from "node:events";
import { createServer } from "node:http";

/** @typedef {import("./feed.js").Feed} Feed */

/** Number of events per write to a client that is behind. */
const pageEvents = 256;

/** Starts to serve a feed on a free port. @param {Feed} feed */
export async function startSource(feed) {
  /** @type {Set<Subscriber>} */
  const subscribers = new Set();
  const server = createServer((request, response) => {
    const given = Number(request.headers["last-event-id"] ?? feed.count);
    const subscriber = new Subscriber(feed, response, Math.min(given, feed.count));
    subscribers.add(subscriber);
    response.once("close", () => subscribers.delete(subscriber));
  });
  server.listen({ host: "127.0.0.1", port: 0, backlog: 65_535 });
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}/events`,
    subscribers,
    /** Sends what was made since `before` to everyone: those at the head share the bytes. @param {number} before */
    flush(before) {
      const bytes = Buffer.from(feed.frames.slice(before).join(""));
      for (const subscriber of subscribers) subscriber.offer(before, bytes);
    },
    /** Whether any client cannot accept more at the moment. */
    get full() {
      for (const subscriber of subscribers) if (subscriber.full) return true;
      return false;
    },
  };
}

class Subscriber {
  full = false;
  #feed;
  #response;
  #position;

  /**
   * @param {Feed} feed
   * @param {import("node:http").ServerResponse} response
   * @param {number} position how many events it has
   */
  constructor(feed, response, position) {
    this.#feed = feed;
    this.#response = response;
    this.#position = position;
    // Not chunked: the body ends with the connection.
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-cache",
      "connection": "close",
    });
    response.write(": welcome\n\n");
    response.on("drain", () => {
      this.full = false;
      this.#catchUp();
    });
    this.#catchUp();
  }

  /**
   * @param {number} before
   * @param {Buffer} bytes
   */
  offer(before, bytes) {
    if (this.full || this.#position !== before) return;
    this.full = !this.#response.write(bytes);
    this.#position = this.#feed.count;
  }

  #catchUp() {
    const { frames } = this.#feed;
    while (!this.full && this.#position < frames.length) {
      const page = frames.slice(this.#position, this.#position + pageEvents);
      this.full = !this.#response.write(page.join(""));
      this.#position += page.length;
    }
  }
}
