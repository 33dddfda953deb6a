/** The prober, a separate process: sends small requests continuously and records how long the responses take. */
import { once } from "node:events";
import { connect } from "node:net";
import { nowMicros } from "./load/clock.js";
import { Histogram } from "./load/histogram.js";
import { queuedMicros } from "./load/queued.js";
import { answerCalls } from "./rpc.js";

/** Interval between requests, in µs. A request waits for the response to the previous one. */
const period = 5000;

/** The start of a response (RFC 9112 §4). A body that arrives separately is skipped. */
const statusLine = "HTTP/1.1 ";

const histogram = new Histogram();
/** @type {import("node:net").Socket} */
let socket;
/** When the pending request was sent, in µs, and how long this process had waited for its core by then. */
let askedAt = 0;
let queuedBefore = 0;
/** @type {NodeJS.Timeout} */
let timer;
let failure = "";

/**
 * Requests sent in each `period` would have waited for the rest of it. Without counting them, a long stall would be a single slow response.
 * @param {number} took
 */
function note(took) {
  for (let waited = took; waited > 0; waited -= period) histogram.add(waited);
}

/** @param {string} request */
function ask(request) {
  queuedBefore = queuedMicros();
  askedAt = nowMicros();
  socket.write(request);
}

/** Records a response. `askedAt` is 0 if none is pending. */
function answered() {
  note(nowMicros() - askedAt - (queuedMicros() - queuedBefore));
  askedAt = 0;
}

answerCalls({
  async start({ host, port, path }) {
    const request = `GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`;
    socket = connect({ host, port, noDelay: true });
    socket.on("error", ({ message }) => (failure ||= `the prober: ${message}`));
    socket.on("close", () => (failure ||= "the server closed the prober's connection"));
    socket.on("data", (chunk) => {
      if (askedAt !== 0 && chunk.toString("latin1").startsWith(statusLine)) answered();
    });
    // The first response includes the time to connect, so it is not counted.
    ask(request);
    await once(socket, "data");
    histogram.reset();
    timer = setInterval(() => askedAt === 0 && ask(request), period / 1000);
  },
  stop() {
    clearInterval(timer);
    if (failure) throw new Error(failure);
    // A pending response has taken at least this long.
    if (askedAt !== 0) answered();
    socket.removeAllListeners("close").destroy();
    return { longest: histogram.max / 1000, p99: histogram.quantile(0.99) / 1000 };
  },
});
