/**
 * The origin behind proxies, a process of its own: serves each connection a stream of its own, or answers short requests. It does
 * without an HTTP library, which would take more of the load's cores than some proxies take of theirs.
 */
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout } from "node:timers/promises";
import { nowMicros } from "./load/clock.js";
import { answerFor, smallPath } from "./load/small.js";
import { answerCalls } from "./rpc.js";

/** Chunked, as most servers send a stream. */
const streamHead =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n" +
  "b\r\n: welcome\n\n\r\n";

/** A stream that has ended leaves its place empty: the others keep theirs. @type {(import("node:net").Socket | undefined)[]} */
let streams = [];
/** The number of the last event. */
let last = 0;
let size = 200;
let stopped = false;

/** @param {import("node:net").Socket} socket */
function serve(socket) {
  let text = "";
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    text += bytes.toString("latin1");
    for (let end = 0; (end = text.indexOf("\r\n\r\n")) !== -1; text = text.slice(end + 4)) answer(socket, text);
  });
}

/**
 * @param {import("node:net").Socket} socket
 * @param {string} request
 */
function answer(socket, request) {
  if (!request.startsWith(`GET ${smallPath}`)) return open(socket);
  const start = 4 + smallPath.length;
  const body = answerFor(request.slice(start, request.indexOf(" ", start)), size);
  socket.write(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  if (/^connection: *close/im.test(request)) socket.end();
}

/** @param {import("node:net").Socket} socket */
function open(socket) {
  const place = streams.push(socket) - 1;
  socket.write(streamHead);
  socket.once("close", () => {
    streams[place] = undefined;
    if (streams.every((each) => each === undefined)) streams = [];
  });
}

/**
 * Sends the event of this number to one in so many streams.
 * @param {number} n
 * @param {number} first
 * @param {number} step
 */
function send(n, first, step) {
  const head = `{"n":${n},"t":${Math.round(nowMicros() * 1000)},"p":"`;
  const event = `id: ${n}\ndata: ${head}${"x".repeat(size - head.length - 2)}"}\n\n`;
  const chunk = Buffer.from(`${event.length.toString(16)}\r\n${event}\r\n`);
  for (let place = first; place < streams.length; place += step) streams[place]?.write(chunk);
}

answerCalls({
  async start(options) {
    ({ size } = options);
    const server = createServer({ noDelay: true }, serve);
    server.listen({ host: "127.0.0.1", port: 0, backlog: 65_535 });
    await once(server, "listening");
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
    return `http://127.0.0.1:${port}/events`;
  },
  /** `count` events to each stream, `rate` a second. The streams take turns, so that some have one in every ms. */
  async paced({ rate, count }) {
    const startedAt = nowMicros();
    const turns = Math.max(1, Math.round(1000 / rate));
    stopped = false;
    for (let made = 0; made < count * turns && !stopped; await setTimeout(1)) {
      const due = Math.min(count * turns, Math.floor(((nowMicros() - startedAt) * rate * turns) / 1e6) + 1);
      for (; made < due; made++) send(last + 1 + Math.floor(made / turns), made % turns, turns);
    }
    last += count;
    return { last, count: last, startedAt };
  },
  /** `count` events at once to each stream. */
  burst({ count }) {
    const startedAt = nowMicros();
    for (let left = count; left > 0; left--) send(++last, 0, 1);
    return { last, count: last, startedAt };
  },
  stop() {
    stopped = true;
  },
});
