/** The prober, a process of its own: asks for something small again and again, and notes how long the answers take. */
import { once } from "node:events";
import { connect } from "node:net";
import { nowMicros } from "./load/clock.js";
import { Histogram } from "./load/histogram.js";
import { queuedMicros } from "./load/queued.js";
import { answerCalls } from "./rpc.js";

/** From one request to the next, in µs; the next one waits for the answer. */
const period = 5000;

/** The start of an answer (RFC 9112 §4); its body, if it comes by itself, is passed over. */
const statusLine = "HTTP/1.1 ";

const histogram = new Histogram();
/** @type {import("node:net").Socket} */
let socket;
/** When the question was asked that has no answer yet, in µs, and how long this process had waited for its core by then. */
let askedAt = 0;
let queuedBefore = 0;
/** @type {NodeJS.Timeout} */
let timer;
let failure = "";

/**
 * Whoever had asked each `period` would have waited the rest of it: without those, a long stall would count as one slow answer.
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

/** Notes an answer; askedAt 0 says that none is owed. */
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
    // The first answer takes the connecting too, and does not count.
    ask(request);
    await once(socket, "data");
    histogram.reset();
    timer = setInterval(() => askedAt === 0 && ask(request), period / 1000);
  },
  stop() {
    clearInterval(timer);
    if (failure) throw new Error(failure);
    // An answer that is still owed has taken that long at least.
    if (askedAt !== 0) answered();
    socket.removeAllListeners("close").destroy();
    return { longest: histogram.max / 1000, p99: histogram.quantile(0.99) / 1000 };
  },
});
