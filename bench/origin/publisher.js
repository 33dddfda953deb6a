/** The origin as a publisher: posts the feed to a server that takes events no other way. */
import { connect } from "node:net";

/** Requests under way on the one connection: they are answered in order, so the events stay in order too. */
const pipelining = 64;

/** The start of an answer (RFC 9112 §4), which no answer's body holds. */
const statusLine = /HTTP\/1\.1 (\d{3})/g;

/**
 * Writes its requests itself: a client library would cost several times what the server needs to take them.
 * @param {string} url where events are posted; `{channel}` in it is replaced by the event's channel
 */
export function createPublisher(url) {
  const { origin, hostname, port, host } = new URL(url);
  const template = url.slice(origin.length);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  /** @type {string[]} */
  const queue = [];
  let underWay = 0;
  /** The end of what was read, in case a status line was cut. */
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
    /** Whether enough is waiting. */
    get full() {
      return queue.length >= pipelining;
    },
    /** Whether everything was answered. */
    get idle() {
      if (failure) throw failure;
      return underWay === 0 && queue.length === 0;
    },
  };
}
