/**
 * The demo's event source: a market feed like that of an exchange, in a separate process and independent of Spillway. It
 * requires an API key, numbers its events, resumes from `?last-id=` and closes each connection after a while.
 *
 *     FEED_API_KEY=secret FEED_PORT=9090 node examples/demo/feed.js
 *     curl -N 'http://127.0.0.1:9090/events?api-key=secret'
 */
import { createServer } from "node:http";
import { createMarket } from "./market.js";

const apiKey = process.env.FEED_API_KEY;
const port = Number(process.env.FEED_PORT ?? 0);
const historySize = 5_000;
const maxUnsentBytes = 4 * 1024 * 1024;

if (!apiKey) {
  console.error("feed: FEED_API_KEY is not set");
  process.exit(1);
}

const market = createMarket();
/** The latest events, oldest first, as `{ id, text }`. */
const history = [];
/** @type {Set<import("node:http").ServerResponse>} */
const clients = new Set();
/** Starts at the time in tenths of a second. Events are rarer than that, so a restarted feed never reuses an id. */
let lastId = Math.floor((Date.now() - Date.UTC(2025, 0, 1)) / 100);

function tick() {
  const { type, data } = market.next();
  const id = ++lastId;
  const text = `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
  history.push({ id, text });
  if (history.length > historySize) history.shift();
  for (const client of clients) {
    if (client.writableLength > maxUnsentBytes) client.destroy();
    else client.write(text);
  }
  setTimeout(tick, between(70, 150));
}

function stream(request, response, resumeFrom) {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
  response.flushHeaders();
  if (resumeFrom !== undefined) for (const event of history) if (event.id > resumeFrom) response.write(event.text);
  clients.add(response);
  const drop = setTimeout(() => response.destroy(), between(20_000, 40_000));
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

function between(min, max) {
  return min + Math.random() * (max - min);
}

function exit() {
  process.exit(0);
}

server.once("error", (error) => {
  console.error(`feed: ${error.message}`);
  process.exit(1);
});
server.listen(port, "127.0.0.1", () => {
  const message = { port: server.address().port };
  if (process.send) process.send(message);
  else console.log(`The feed is at http://127.0.0.1:${message.port}/events`);
  tick();
});

process.once("SIGTERM", exit);
if (process.send) {
  // The child exits with its parent, which also handles Ctrl-C in their terminal.
  process.once("disconnect", exit);
  process.on("SIGINT", () => {});
}
