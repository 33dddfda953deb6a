import { createServer } from "node:http";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isDeepStrictEqual } from "node:util";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { chromiumInstalled, launchChromium } from "../support/chromium.ts";
import { serveGateway, type GatewayServer } from "../support/gateway-server.ts";
import { portOf } from "../support/ports.ts";
import { warnMissing } from "../support/programs.ts";
import { bundle, reactVersions } from "../support/react/bundle.ts";
import type { AppProps, Shown, record } from "../support/react/components.ts";
import type { ReactPage } from "../support/react/page.ts";
import type { render } from "../support/react/server.ts";
import { eventually } from "../support/reader.ts";
import { refusing, startScriptedServer, streaming } from "../support/scripted-server.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";

/** The hooks in a real browser, and on a server, with each version of React. */

let browser: Browser;
let server: GatewayServer;
let streams = 0;

if (!chromiumInstalled) warnMissing("Chromium", "chromium");

beforeAll(async () => {
  const names = Array.from({ length: 40 }, (_, n) => `s${n}`);
  const filled = Object.fromEntries(names.map((name) => [name, {}]));
  server = await serveGateway(
    {
      store: "memory:",
      streams: { ...filled, short18: { retention: { events: 2 } }, short19: { retention: { events: 2 } } },
    },
    { page: '<!doctype html><link rel="icon" href="data:,"><main></main>' },
  );
  if (chromiumInstalled) browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await server.close();
});

const fresh = (): string => `s${streams++}`;
const publish = (stream: string, ...data: unknown[]): Promise<string[]> =>
  server.gateway.publish(
    stream,
    data.map((each) => ({ event: "trade", data: each })),
  );
const subscribers = (stream: string): number => server.gateway.status().streams[stream]!.subscribers;
const from = (stream: string, rest: Partial<Shown> = {}): Shown => ({ id: "a", kind: "feed", of: stream, ...rest });
/** Longer than a test: what stays open then has a reason. */
const lingering = { linger: 600_000 };

describe.each(reactVersions)("React %s", (version) => {
  let script: string;
  beforeAll(async () => {
    script = await bundle("page.ts", version);
  });

  async function open(
    html = "",
    origin = server.url,
    context: Pick<BrowserContext, "newPage"> = browser,
  ): Promise<App> {
    const page = await context.newPage();
    onTestFinished(() => page.close());
    const app = new App(page);
    page.on("console", (message) => message.type() === "error" && app.complaints.push(message.text()));
    page.on("pageerror", (error) => app.complaints.push(error.message));
    page.on("request", (request) => {
      const attempt = request.headers()["x-attempt"];
      if (attempt !== undefined) app.attempts.push(attempt);
    });
    page.on("request", (request) => app.requests.push(new URL(request.url()).pathname));
    await page.goto(origin);
    await page.evaluate((text) => void (document.querySelector("main")!.innerHTML = text), html);
    await page.addScriptTag({ content: script });
    return app;
  }

  describe.skipIf(!chromiumInstalled)("in Chromium", () => {
    test("StrictMode opens one connection, components share it, and it is closed after the last", async () => {
      const stream = fresh();
      const app = await open();
      const shown = [from(stream), from(stream, { id: "b" }), from(stream, { id: "c", kind: "handler" })];
      await app.show({ shown: [...shown, from(stream, { id: "d", kind: "state" })] });
      await app.until("d", "open");
      await publish(stream, 1, 2, 3);
      const value = { version: 1, data: { count: 3, last: 3 }, status: "open", stale: false };
      await app.until("a", value);
      await app.until("b", value);
      expect(await app.seen()).toEqual({ a: [1, 2, 3], b: [1, 2, 3], c: [1, 2, 3] });
      expect(app.requests.filter((path) => path.startsWith("/streams/"))).toHaveLength(1);
      await app.show({ shown: [], client: { linger: 1 } });
      await eventually(() => subscribers(stream) === 0);
      expect(app.complaints).toEqual([]);
    });

    test("10,000 events are all reduced, with at most one commit per frame", async () => {
      const stream = fresh();
      const app = await open();
      await app.show({ shown: [from(stream)] });
      await app.until("a", { version: 1, data: { count: 0 }, status: "open", stale: false });
      const before = await app.counts();
      for (let first = 0; first < 10_000; first += 500) {
        await publish(stream, ...Array.from({ length: 500 }, (_, n) => first + n));
      }
      await app.until("a", { version: 1, data: { count: 10_000, last: 9999 }, status: "open", stale: false });
      const after = await app.counts();
      expect(await app.seen()).toEqual({ a: Array.from({ length: 10_000 }, (_, n) => n) });
      // One more frame may have begun before the first count.
      expect(after.commits - before.commits).toBeLessThanOrEqual(after.frames - before.frames + 1);
    });

    test("a component that mounts again at once uses the open connection", async () => {
      const stream = fresh();
      const app = await open();
      await app.show({ client: lingering, shown: [from(stream)] });
      await app.until("a", { version: 1, data: { count: 0 }, status: "open", stale: false });
      await app.show({ client: lingering, shown: [] });
      await app.show({ client: lingering, shown: [from(stream, { id: "b" })] });
      await app.until("b", { version: 1, data: { count: 0 }, status: "open", stale: false });
      await publish(stream, 1);
      await app.until("b", { version: 1, data: { count: 1, last: 1 }, status: "open", stale: false });
      expect(app.requests.filter((path) => path.startsWith("/streams/"))).toHaveLength(1);
    });

    test("tabs share a connection, and the last one keeps it", async () => {
      const stream = fresh();
      const context = await browser.newContext();
      onTestFinished(() => context.close());
      const tabs = [await open("", server.url, context), await open("", server.url, context)] as const;
      for (const tab of tabs) {
        await tab.show({ share: true, shown: [from(stream)] });
        await tab.until("a", { version: 1, data: { count: 0 }, status: "open", stale: false });
      }
      await publish(stream, 1);
      for (const tab of tabs)
        await tab.until("a", { version: 1, data: { count: 1, last: 1 }, status: "open", stale: false });
      expect(subscribers(stream)).toBe(1);
      await tabs[0].page.close();
      await publish(stream, 2);
      await tabs[1].until("a", { version: 1, data: { count: 2, last: 2 }, status: "open", stale: false });
      expect(subscribers(stream)).toBe(1);
    });

    test("a hot reload keeps the data and the connection, and takes the new code", async () => {
      const stream = fresh();
      const app = await open();
      await app.show({ shown: [from(stream)] });
      await app.until("a", { version: 1, data: { count: 0 }, status: "open", stale: false });
      await publish(stream, 1);
      await app.until("a", { version: 1, data: { count: 1, last: 1 }, status: "open", stale: false });
      await app.page.evaluate("page.reload()");
      await publish(stream, 2);
      await app.until("a", { version: 2, data: { count: 2, last: 2 }, status: "open", stale: false });
      expect(app.requests.filter((path) => path.startsWith("/streams/"))).toHaveLength(1);
    });

    test("a component that starts in the past gets its replay, also beside one that is connected", async () => {
      const stream = fresh();
      await publish(stream, 1, 2, 3);
      const app = await open();
      const first = from(stream, { start: { last: 2 } });
      await app.show({ shown: [first] });
      await app.until("a", { version: 1, data: { count: 2, last: 3 }, status: "open", stale: false });
      await app.show({ shown: [first, from(stream, { id: "b", start: { last: 2 } })] });
      await app.until("b", { version: 1, data: { count: 2, last: 3 }, status: "open", stale: false });
      await publish(stream, 4);
      await app.until("b", { version: 1, data: { count: 3, last: 4 }, status: "open", stale: false });
      expect(await app.seen()).toEqual({ a: [2, 3, 4], b: [2, 3, 4] });
    });

    test("other channels are another connection, and null is none", async () => {
      const stream = fresh();
      const app = await open();
      const client = { linger: 1 };
      await app.show({ client, shown: [from(stream, { channels: ["x"] })] });
      await eventually(() => subscribers(stream) === 1);
      await server.gateway.publish(stream, { event: "trade", data: 1, channel: "x" });
      await app.until("a", { version: 1, data: { count: 1, last: 1 }, status: "open", stale: false });
      await app.show({ client, shown: [from(stream, { channels: ["y"] })] });
      await app.until("a", { version: 1, data: { count: 0 }, status: "open", stale: false });
      await eventually(() => subscribers(stream) === 1);
      await app.show({ client, shown: [from(stream, { of: null })] });
      await app.until("a", { version: 1, data: { count: 0 }, status: "closed", stale: true });
      await eventually(() => subscribers(stream) === 0);
    });

    test("each attempt has the provider's latest options", async () => {
      const stream = fresh();
      const proxy = await startTcpProxy(server.port);
      onTestFinished(() => proxy.close());
      const app = await open("", `http://127.0.0.1:${proxy.port}`);
      await app.show({ client: { headers: { "x-attempt": "first" } }, shown: [from(stream)] });
      await eventually(() => subscribers(stream) === 1);
      await app.show({ client: { headers: { "x-attempt": "second" } }, shown: [from(stream)] });
      proxy.cut();
      await eventually(() => app.attempts.length === 2);
      expect(app.attempts).toEqual(["first", "second"]);
    });

    test("a definition's schemas make the data, also beside a component without them", async () => {
      const stream = fresh();
      const app = await open();
      await app.show({ shown: [from(stream, { typed: true }), from(stream, { id: "b" })] });
      await eventually(() => subscribers(stream) === 2);
      await publish(stream, 1, "two");
      await eventually(async () => (await app.seen())["b"]?.length === 2 && (await app.seen())["a"]?.length === 2);
      expect(await app.seen()).toEqual({ a: [2, "spillway.invalid"], b: [1, "two"] });
    });

    test("a selection renders only when it changes", async () => {
      const stream = fresh();
      const app = await open();
      await app.show({ shown: [from(stream, { parity: true }), from(stream, { id: "b", kind: "handler" })] });
      await app.until("a", { version: 1, data: true, status: "open", stale: false });
      const before = await app.counts();
      await publish(stream, 1, 2);
      await eventually(async () => (await app.seen())["b"]?.length === 2);
      const { frames } = await app.counts();
      await eventually(async () => (await app.counts()).frames > frames + 2);
      // The two events may have been rendered apart.
      expect([0, 2]).toContain((await app.counts()).commits - before.commits);
    });

    test("the state is loaded when the stream is open, and again after a gap", async () => {
      const stream = `short${version}`;
      const proxy = await startTcpProxy(server.port);
      onTestFinished(() => proxy.close());
      const app = await open("", `http://127.0.0.1:${proxy.port}`);
      let held: (() => void) | undefined;
      let count = 100;
      await app.page.route("**/snapshot", async (route) => {
        await new Promise<void>((resolve) => (held = resolve));
        await route.fulfill({ json: { count } });
      });
      await app.show({ shown: [from(stream, { load: "/snapshot" })] });
      await eventually(() => held !== undefined);
      await publish(stream, 1);
      await app.until("a", { version: 1, data: { count: 0 }, status: "open", stale: true });
      held!();
      await app.until("a", { version: 1, data: { count: 101, last: 1 }, status: "open", stale: false });
      count = 200;
      held = undefined;
      proxy.refuse(true);
      proxy.cut();
      await eventually(() => subscribers(stream) === 0);
      await publish(stream, 2, 3, 4);
      proxy.refuse(false);
      await eventually(() => held !== undefined);
      // What retention still holds waits for the state.
      expect(await app.seen()).toEqual({ a: [1] });
      held!();
      await app.until("a", { version: 1, data: { count: 202, last: 4 }, status: "open", stale: false });
      expect(await app.seen()).toEqual({ a: [1, 3, 4] });
    });

    test("a reducer that throws ends its component's reading, and no other's", async () => {
      const stream = fresh();
      const app = await open();
      await app.show({ shown: [from(stream), from(stream, { id: "b", kind: "handler" })] });
      await app.until("a", { version: 1, data: { count: 0 }, status: "open", stale: false });
      await publish(stream, "throw", 2);
      await app.until("a", { version: 1, data: { count: 0 }, status: "closed", stale: true, error: "handler-failed" });
      await eventually(async () => (await app.seen())["b"]?.length === 2);
    });

    test("useSSE reads other servers: chosen types of events, failed attempts, and whether it is connected", async () => {
      const cors = { "access-control-allow-origin": "*" };
      const body = "event: a\ndata: 1\n\nevent: b\ndata: 2\n\nevent: a\ndata: 3\n\n";
      const other = await startScriptedServer(refusing(503, cors), streaming(body, cors));
      onTestFinished(() => other.close());
      const app = await open();
      await app.show({ shown: [{ id: "a", kind: "sse", of: other.url, events: ["a"] }] });
      await app.until("a", { isConnected: true, last: 3 });
      expect(await app.seen()).toEqual({ a: ["status-unexpected", 1, 3] });
    });

    test("what a server rendered is hydrated without an error, and then connected", async () => {
      const stream = fresh();
      const props = { shown: [from(stream), from(stream, { id: "b", kind: "state" })] };
      const app = await open(await renderOnServer(version, props));
      await app.page.evaluate((given) => page.hydrate(given), props as never);
      await app.until("a", { version: 1, data: { count: 0 }, status: "open", stale: false });
      await app.until("b", "open");
      expect(await app.page.evaluate("page.record.errors")).toEqual([]);
      expect(app.complaints).toEqual([]);
    });

    if (version === 18) return;

    test("a hidden Activity is disconnected, and gets what it missed when it is shown", async () => {
      const stream = fresh();
      const app = await open();
      const client = { linger: 1 };
      await app.show({ client, shown: [from(stream, { hidden: false })] });
      await app.until("a", { version: 1, data: { count: 0 }, status: "open", stale: false });
      await publish(stream, 1);
      await app.until("a", { version: 1, data: { count: 1, last: 1 }, status: "open", stale: false });
      await app.show({ client, shown: [from(stream, { hidden: true })] });
      await eventually(() => subscribers(stream) === 0);
      await publish(stream, 2, 3);
      await app.show({ client, shown: [from(stream, { hidden: false })] });
      await app.until("a", { version: 1, data: { count: 3, last: 3 }, status: "open", stale: false });
      expect(await app.seen()).toEqual({ a: [1, 2, 3] });
    });
  });

  test("a server renders the initial data and sends no request", async () => {
    const other = createServer((_, response) => void response.end()).listen(0, "127.0.0.1");
    let requested = 0;
    other.on("request", () => requested++);
    await once(other, "listening");
    onTestFinished(() => void other.close());
    const url = `http://127.0.0.1:${portOf(other)}`;
    const shown: Shown[] = [
      from("prices"),
      from("prices", { id: "b", kind: "state" }),
      { id: "c", kind: "sse", of: url },
    ];
    const html = await renderOnServer(version, { client: { url }, shown });
    expect(html.replaceAll("&quot;", '"')).toBe(
      '<output id="a">{"version":1,"data":{"count":0},"status":"connecting","stale":true}</output>' +
        '<output id="b">"closed"</output><output id="c">{"isConnected":false}</output>',
    );
    await fetch(url);
    expect(requested).toBe(1);
  });
});

async function renderOnServer(version: 18 | 19, props: AppProps): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "spillway-react-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "server.cjs");
  await writeFile(file, await bundle("server.ts", version));
  const program = (await import(pathToFileURL(file).href)) as { default: { render: typeof render } };
  return program.default.render(props);
}

declare const page: ReactPage;

class App {
  readonly page: Page;
  /** Errors in the browser's console. */
  readonly complaints: string[] = [];
  /** The values of the header `x-attempt` in its requests. */
  readonly attempts: string[] = [];
  /** The paths of its requests. */
  readonly requests: string[] = [];

  constructor(of: Page) {
    this.page = of;
  }

  show(props: AppProps): Promise<void> {
    return this.page.evaluate((given) => page.show(given), props as never);
  }

  async value(id: string): Promise<unknown> {
    return JSON.parse((await this.page.textContent(`#${id}`))!);
  }

  async until(id: string, expected: unknown): Promise<void> {
    let value: unknown;
    await eventually(async () => isDeepStrictEqual((value = await this.value(id)), expected)).catch(
      (cause: unknown) => {
        throw new Error(`#${id} shows ${JSON.stringify(value)}, not ${JSON.stringify(expected)}`, { cause });
      },
    );
  }

  seen(): Promise<(typeof record)["seen"]> {
    return this.page.evaluate("page.record.seen");
  }

  counts(): Promise<{ commits: number; frames: number }> {
    return this.page.evaluate("({ commits: page.record.commits, frames: page.frames() })");
  }
}
