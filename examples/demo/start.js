/**
 * The demo that `npm start` runs: a market feed in a separate process, a gateway with a SQLite log in front of it, and a page
 * that shows the events. `PORT` and `HOST` set the address to listen on (default 8080 on 127.0.0.1).
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createGateway } from "spillway";
import { startFeed } from "./feed-process.js";
import { servePage } from "./page.js";

const host = process.env.HOST || "127.0.0.1";
const port = Number(process.env.PORT || 8080);

/** Run in reverse order at the end. */
const cleanups = [];
let stopping = false;

async function main() {
  const apiKey = randomBytes(16).toString("hex");
  const feed = await startFeed(apiKey);
  cleanups.push(() => feed.stop());

  const gateway = await createGateway({
    store: "sqlite:./demo.db",
    streams: {
      market: {
        upstream: {
          url: `http://127.0.0.1:${feed.port}/events?api-key=${apiKey}`,
          resume: { query: "last-id" },
          connect: "always",
        },
        channel: "/symbol",
        retention: { age: "24h", events: 100_000 },
      },
    },
    access: { anonymous: ["subscribe", "admin"] },
    dashboard: true,
  });
  cleanups.push(() => gateway.close());

  const handle = gateway.node();
  const server = createServer((request, response) => {
    if (!servePage(request, response)) handle(request, response);
  });
  server.listen(port, host);
  await once(server, "listening");
  // Not awaited: the server closes when its streams have ended, and the gateway ends those.
  cleanups.push(() => void server.close());

  const { address, family, port: actual } = server.address();
  console.log(
    `Spillway's demo is at http://${family === "IPv6" ? `[${address}]` : address}:${actual}/ (Ctrl-C stops it)`,
  );
}

async function stop(exitCode) {
  if (stopping) return;
  stopping = true;
  if (exitCode === 0) console.log("Stopping");
  for (const cleanup of cleanups.toReversed()) await cleanup();
  process.exit(exitCode);
}

function explain(error) {
  if (error.code !== "EADDRINUSE") return error.message;
  return `port ${port} on ${host} is in use; choose another one with PORT=<number>`;
}

async function fail(error) {
  console.error(`spillway demo: ${explain(error)}`);
  await stop(1);
}

// Not `once`: npm forwards the Ctrl-C that the terminal has already sent, and a second one would kill the process early.
process.on("SIGINT", () => stop(0));
process.on("SIGTERM", () => stop(0));
main().catch(fail);
