/**
 * The demo's event source: a market feed like that of an exchange, in a separate process and independent of Spillway. It
 * requires an API key, numbers its events, resumes from `?last-id=` and closes each connection after a while.
 *
 *     FEED_API_KEY=secret FEED_PORT=9090 node examples/demo/feed.js
 *     curl -N 'http://127.0.0.1:9090/events?api-key=secret'
 */
import { createServer } from "node:http";
import { eventAt, interval, numberAt } from "./market.js";
import { listen } from "./part.js";

const apiKey = process.env.FEED_API_KEY;
/** How many events it can send again. */
const historySize = 3_000;
const maxUnsentBytes = 4 * 1024 * 1024;

if (!apiKey) {
  console.error("feed: FEED_API_KEY is not set");
  process.exit(1);
}

/** @type {Set<import("node:http").ServerResponse>} */
const clients = new Set();
let last = numberAt(Date.now());

/** Sends the events that are due. */
function tick() {
  const text = encode(last + 1, (last = numberAt(Date.now())));
  for (const client of clients) {
    if (client.writableLength > maxUnsentBytes) client.destroy();
    else client.write(text);
  }
}

function encode(from, to) {
  let text = "";
  for (let n = from; n <= to; n++) {
    const { type, data } = eventAt(n);
    text += `id: ${n}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
  }
  return text;
}

function stream(request, response, resumeAfter) {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
  response.flushHeaders();
  if (resumeAfter !== undefined) response.write(encode(Math.max(resumeAfter, last - historySize) + 1, last));
  clients.add(response);
  const drop = setTimeout(() => response.destroy(), 20_000 + Math.random() * 20_000);
  response.once("close", () => {
    clearTimeout(drop);
    clients.delete(response);
  });
}

function refuse(response, status, title) {
  response.writeHead(status, { "Content-Type": "text/plain" }).end(`${title}\n`);
}

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://feed");
  if (searchParams.get("api-key") !== apiKey) return refuse(response, 401, "a valid api-key is required");
  if (pathname !== "/events") return refuse(response, 404, "not found");
  const given = searchParams.get("last-id") ?? request.headers["last-event-id"] ?? "";
  stream(request, response, /^\d+$/.test(given) ? Number(given) : undefined);
});

setInterval(tick, interval);
listen(server, "feed", process.env.FEED_PORT, "/events");
