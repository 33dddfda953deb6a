/** The origin as a publisher: posts the feed to a server that cannot connect to a source. */
import { connect } from "node:net";

/** Requests in flight on the connection. They are answered in order, so the events stay in order. */
const pipelining = 64;

/** The start of a response (RFC 9112 §4). No response body contains it. */
const statusLine = /HTTP\/1\.1 (\d{3})/g;

/**
 * Formats its requests itself: a client library would use several times the CPU that the server needs.
 * @param {string} url where events are posted; `{channel}` in it is replaced by the event's channel
 */
export function createPublisher(url) {
  const { origin, hostname, port, host } = new URL(url);
  const template = url.slice(origin.length);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  /** @type {string[]} */
  const queue = [];
  let underWay = 0;
  /** The end of the last read, in case a status line was split. */
  let rest = "";
  /** @type {Error | undefined} */
  let failure;

  function send() {
    const requests = queue.splice(0, pipelining - underWay);
    underWay += requests.length;
    if (requests.length > 0) socket.write(requests.join(""));
  }

  socket.on("data", (chunk) => {
    const text = rest + chunk.toString("latin1");
    let end = 0;
    for (const { 0: line, 1: status, index } of text.matchAll(statusLine)) {
      underWay--;
      end = index + line.length;
      if (Number(status) >= 300) failure ??= new Error(`a post is answered with ${status}`);
    }
    rest = text.slice(Math.max(end, text.length - 11));
    send();
  });
  socket.on("error", (error) => (failure ??= error));
  socket.on("close", () => (failure ??= new Error("the connection for posts was closed")));

  return {
    /** @param {readonly import("./feed.js").FeedEvent[]} events */
    publish(events) {
      for (const { channel, data } of events) {
        const path = template.replace("{channel}", channel);
        queue.push(`POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${data.length}\r\n\r\n${data}`);
      }
      send();
    },
    /** Whether enough requests are in flight. */
    get full() {
      return queue.length >= pipelining;
    },
    /** Whether all requests have been answered. */
    get idle() {
      if (failure) throw failure;
      return underWay === 0 && queue.length === 0;
    },
  };
}
