/**
 * Makes the pictures of the dashboard in `docs/images`, with the feed of the demo: `npm run screenshots`, after a build. It
 * needs Chromium; `CHROMIUM` names another program.
 */
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { createGateway } from "spillway";
import { superviseProcess } from "../examples/demo/supervised-process.js";

const folder = fileURLToPath(new URL("../docs/images", import.meta.url));
const apiKey = "screenshots";

const feed = superviseProcess({
  name: "feed",
  command: [fileURLToPath(new URL("../examples/demo/feed.js", import.meta.url))],
  env: (port) => ({ FEED_API_KEY: apiKey, FEED_PORT: port }),
  restartDelay: 1_000,
});
await feed.ready;
const gateway = await createGateway(
  {
    store: "memory:",
    dashboard: { write: true },
    access: { anonymous: ["subscribe", "publish", "admin"] },
    streams: {
      market: {
        upstream: {
          url: `${feed.origin}/events?api-key=${apiKey}`,
          resume: { query: "last-id" },
          backoff: { min: "1s", max: "5s" },
        },
        channel: "/symbol",
        retention: { events: 10_000 },
      },
      chat: { retention: { age: "1h" } },
      // Nothing listens there.
      weather: { upstream: { url: "http://127.0.0.1:1/" } },
    },
  },
  { logger: false },
);
const server = createServer(gateway.node()).listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}`;

for (const data of ["hello", "is anyone there?", "yes"]) await gateway.publish("chat", { event: "said", data });
// Clients of every kind, so that the lists are not empty.
const clients = Array.from({ length: 12 }, () => new AbortController());
for (const { signal } of clients) await fetch(`${url}/streams/market?channels=btc-usd,eth-usd`, { signal });

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-quic", "--disable-background-networking"],
});

/** Opens a view in a new window. */
async function open(path, size, colorScheme) {
  const page = await browser.newPage({ viewport: size, colorScheme });
  await page.goto(`${url}/dashboard/#/${path}`);
  return page;
}

await mkdir(folder, { recursive: true });
const large = { width: 1120, height: 340 };
const streams = await open("streams", large, "light");
// A line needs some points: there is one for every five seconds.
for (let samples = 0; samples < 8;) {
  const history = await fetch(`${url}/admin/history`);
  samples = (await history.json()).times.length;
  await streams.waitForTimeout(1000);
}
await streams.waitForTimeout(6000);
await streams.screenshot({ path: `${folder}/dashboard-streams.png` });

const stream = await open("streams/market", { ...large, height: 640 }, "dark");
await stream.locator(".tail details").nth(5).waitFor();
await stream.getByRole("button", { name: "Pause" }).click();
await stream.locator(".tail summary").nth(1).click();
await stream.screenshot({ path: `${folder}/dashboard-stream.png` });

const sources = await open("sources", { width: 360, height: 720 }, "light");
await sources.getByText("ECONNREFUSED").first().waitFor();
await sources.screenshot({ path: `${folder}/dashboard-phone.png` });

await browser.close();
for (const client of clients) client.abort();
server.closeAllConnections();
server.close();
await gateway.close();
await feed.stop();
