import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { chromiumInstalled, chromiumOptions, stopPage } from "../support/chromium.ts";
import { clientPage } from "../support/client-page.ts";
import { serveGateway, type GatewayServer } from "../support/gateway-server.ts";
import { warnMissing } from "../support/programs.ts";
import { eventually } from "../support/reader.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";

let browser: Browser;
let server: GatewayServer;
let proxy: TcpProxy;
let streams = 0;

if (!chromiumInstalled) warnMissing("Chromium", "chromium");
beforeAll(async () => {
  if (!chromiumInstalled) return;
  // Playwright turns the back/forward cache off.
  browser = await chromium.launch({ ...chromiumOptions, ignoreDefaultArgs: ["--disable-back-forward-cache"] });
  const names = Array.from({ length: 10 }, (_, n) => `s${n}`);
  const access = { anonymous: ["subscribe"], cors: { origins: ["*"] } } as const;
  const options = { store: "memory:", access, streams: Object.fromEntries(names.map((name) => [name, {}])) };
  server = await serveGateway(options, { page: await clientPage() });
  proxy = await startTcpProxy(server.port);
});
afterAll(async () => {
  await browser?.close();
  await proxy?.close();
  await server?.close();
});

/** A page, by way of the proxy, and a stream of its own. */
async function open(from = `http://127.0.0.1:${proxy.port}`): Promise<{ page: Page; stream: string }> {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  const page = await context.newPage();
  await page.goto(`${from}/`);
  return { page, stream: `s${streams++}` };
}

/** Subscribes in the page, with these options as code. */
async function subscribe(page: Page, stream: string, options = "{}", url = `/streams/${stream}`): Promise<void> {
  await page.evaluate(`
    got = [];
    subscription = client.subscribe("${url}", ${options});
    subscription.on("*", ({ data }) => got.push(data));
    subscription.onState(() => {});
  `);
  await eventually(() => page.evaluate<boolean>("subscription.caughtUp"));
}

const untilGot = (page: Page, data: unknown[]): Promise<void> =>
  eventually(async () => JSON.stringify(await page.evaluate("got")) === JSON.stringify(data), JSON.stringify(data));
const subscribersOf = (stream: string): number => server.gateway.status().streams[stream]!.subscribers;

describe.runIf(chromiumInstalled)("in Chromium", () => {
  test("a page resumes after a reload, and a worker can subscribe", async () => {
    const { page, stream } = await open();
    await subscribe(page, stream, `{ cursor: client.sessionCursor("a") }`);
    await server.gateway.publish(stream, { data: 1 });
    await untilGot(page, [1]);
    await page.reload();
    await server.gateway.publish(stream, { data: 2 });
    await subscribe(page, stream, `{ cursor: client.sessionCursor("a") }`);
    await untilGot(page, [2]);
    await page.evaluate(`
      got = [];
      const code = document.scripts[0].text + ';client.subscribe("${proxyUrl(stream)}", { start: { last: 2 } })' +
        '.on("*", ({ data }) => postMessage(data));';
      new Worker(URL.createObjectURL(new Blob([code]))).onmessage = ({ data }) => got.push(data);
    `);
    await untilGot(page, [1, 2]);
  });

  test("a page in the back/forward cache has no connection, and resumes when the user comes back", async () => {
    const { page, stream } = await open();
    await subscribe(page, stream);
    await page.evaluate("kept = true");
    await page.goto(`${server.url}/streams`);
    await eventually(() => subscribersOf(stream) === 0);
    await server.gateway.publish(stream, { data: 1 });
    await page.goBack({ waitUntil: "commit" });
    expect(await page.evaluate("kept"), "the page came from the cache").toBe(true);
    await untilGot(page, [1]);
  });

  test("a page that is hidden for long has no connection, and resumes when it is shown", async () => {
    const { page, stream } = await open();
    await subscribe(page, stream, "{ hidden: 10 }");
    // Headless pages are always visible.
    const show = (hidden: boolean): Promise<void> =>
      page.evaluate(`
        Object.defineProperty(document, "hidden", { value: ${hidden}, configurable: true });
        document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
      `);
    await show(true);
    await eventually(() => subscribersOf(stream) === 0);
    expect(await page.evaluate("subscription.state.status")).toBe("paused");
    await server.gateway.publish(stream, { data: 1 });
    await show(false);
    await untilGot(page, [1]);
  });

  test("a page of another origin resumes without a preflight", async () => {
    const { page, stream } = await open(server.url);
    await subscribe(page, stream, "{ backoff: { min: 1, max: 20 } }", proxyUrl(stream));
    for (const n of [1, 2]) {
      const [id] = await server.gateway.publish(stream, { data: n });
      await untilGot(page, [1, 2].slice(0, n));
      proxy.cut();
      await eventually(() => server.requests.at(-1) === `GET /streams/${stream}?last-event-id=${id}`, "it resumes");
      expect(server.resumed.at(-1)).toBeUndefined();
    }
    const requests = server.requests.filter((request) => request.includes(`/${stream}`));
    expect(requests.map((request) => request.split(" ")[0])).toEqual(["GET", "GET", "GET"]);
  });

  test("with a header of its own, a page of another origin needs a preflight, and sends the id in a header", async () => {
    const { page, stream } = await open(server.url);
    const options = `{ headers: { "cache-control": "no-cache" }, backoff: { min: 1, max: 20 } }`;
    await subscribe(page, stream, options, proxyUrl(stream));
    const [id] = await server.gateway.publish(stream, { data: 1 });
    await untilGot(page, [1]);
    proxy.cut();
    await eventually(() => server.resumed.at(-1) === id, "it resumes");
    expect(server.requests).toContain(`OPTIONS /streams/${stream}`);
    expect(server.requests.filter((request) => request.includes(`/${stream}?`))).toEqual([]);
  });

  test("a page whose process was stopped, as by sleep, gets every event when it continues", async () => {
    const { page, stream } = await open();
    await subscribe(page, stream);
    const resume = await stopPage(browser, page);
    onTestFinished(resume);
    await server.gateway.publish(stream, { data: 1 });
    // The network fails while nobody can notice it.
    proxy.cut();
    await server.gateway.publish(stream, { data: 2 });
    resume();
    await untilGot(page, [1, 2]);
  });

  test("when the network is back, a page does not wait any longer", async () => {
    const { page, stream } = await open();
    await subscribe(page, stream, "{ backoff: { min: 3_600_000, max: 3_600_000 } }");
    await page.context().setOffline(true);
    proxy.cut();
    await eventually(async () => (await page.evaluate("subscription.state.status")) === "waiting");
    await server.gateway.publish(stream, { data: 1 });
    await page.context().setOffline(false);
    await untilGot(page, [1]);
  });
});

const proxyUrl = (stream: string): string => `http://127.0.0.1:${proxy.port}/streams/${stream}`;
