import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { chromiumInstalled, launchChromium, stopPage } from "../support/chromium.ts";
import { clientPage } from "../support/client-page.ts";
import { serveGateway, type GatewayServer } from "../support/gateway-server.ts";
import { warnMissing } from "../support/programs.ts";
import { eventually } from "../support/reader.ts";
import { startScriptedServer, streaming } from "../support/scripted-server.ts";

/** How often the leader is killed. */
const rounds = Number(process.env["KILL_ROUNDS"] ?? 5);
const tabs = 10;

let browser: Browser;
let context: BrowserContext;
let server: GatewayServer;

if (!chromiumInstalled) warnMissing("Chromium", "chromium");
beforeAll(async () => {
  if (!chromiumInstalled) return;
  browser = await launchChromium();
  context = await browser.newContext();
  const access = { anonymous: ["subscribe"] } as const;
  server = await serveGateway(
    { store: "memory:", access, streams: { s: {}, other: {}, begun: {}, stored: {} } },
    { page: await clientPage() },
  );
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

/** @param more options, as code */
async function openTab(url = "/streams/s", more = ""): Promise<Page> {
  const page = await context.newPage();
  await page.goto(server.url);
  await page.evaluate(`
    got = [];
    asked = 0;
    const original = fetch;
    fetch = (...parameters) => (asked++, original(...parameters));
    subscription = client.subscribeShared("${url}", { backoff: { min: 1, max: 20 }, ${more} });
    statuses = [];
    subscription.onState((state) => statuses.push(state.caughtUp ? "caught up" : state.status));
    subscription.on("*", ({ type, data }) => got.push({ value: type === "message" ? data : type, at: Date.now() }));
  `);
  await eventually(() => page.evaluate<boolean>(`subscription.state.status === "open"`), "a tab takes part");
  return page;
}

async function crash(page: Page): Promise<void> {
  const crashed = page.waitForEvent("crash");
  await page.goto("chrome://crash").catch(() => {});
  await crashed;
}

const valuesOf = (page: Page): Promise<unknown[]> => page.evaluate("got.map(({ value }) => value)");
const numbers = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);
const subscribers = (stream: string): number => server.gateway.status().streams[stream]!.subscribers;

describe.runIf(chromiumInstalled)("tabs of Chromium", () => {
  test(`${tabs} tabs have one connection, and the leader's death costs no tab an event`, async () => {
    const open: Page[] = [];
    for (let n = 0; n < tabs; n++) open.push(await openTab());
    expect(subscribers("s")).toBe(1);
    const first = new Map(open.map((page) => [page, 1]));
    let last = 0;
    const publish = async (count: number): Promise<void> => {
      await server.gateway.publish(
        "s",
        numbers(last + 1, last + count).map((data) => ({ data })),
      );
      last += count;
    };
    const untilAll = async (): Promise<void> => {
      for (const page of open) await eventually(async () => (await valuesOf(page)).at(-1) === last, `a tab at ${last}`);
    };
    await publish(20);
    await untilAll();
    const takeovers: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const asked = await Promise.all(open.map((page) => page.evaluate<number>("asked")));
      const leader = open[asked.findIndex((count) => count > 0)]!;
      await publish(5);
      const killed = Date.now();
      // Every other one crashes, so that nothing of it runs any more.
      const closing = round % 2 === 0 ? leader.close() : crash(leader);
      open.splice(open.indexOf(leader), 1);
      await publish(5);
      await closing;
      await publish(5);
      await untilAll();
      const at = await Promise.all(open.map((page) => page.evaluate<number>("got.at(-1).at")));
      takeovers.push(Math.max(...at) - killed);
      expect(subscribers("s")).toBe(1);
      const page = await openTab();
      first.set(page, last + 1);
      open.push(page);
      await publish(5);
      await untilAll();
    }
    for (const page of open) expect(await valuesOf(page)).toEqual(numbers(first.get(page)!, last));
    if (process.env["KILL_ROUNDS"]) console.log("takeovers in ms:", takeovers.toSorted((a, b) => a - b).join(" "));
    for (const page of open) await page.close();
    await eventually(() => subscribers("s") === 0);
  });

  test("the first tab starts where it says, those that join follow, and all know that they have caught up", async () => {
    await server.gateway.publish("begun", [{ data: 1 }, { data: 2 }, { data: 3 }]);
    const first = await openTab("/streams/begun", "start: { last: 2 }");
    await eventually(async () => (await valuesOf(first)).length === 2);
    await eventually(() => first.evaluate<boolean>("subscription.caughtUp"));
    const changes = await first.evaluate<number>("statuses.length");
    const joined = await openTab("/streams/begun", "start: { last: 2 }");
    await eventually(() => joined.evaluate<boolean>("subscription.caughtUp"), "the tab that joined has caught up");
    expect(await joined.evaluate("subscription.state.client")).toBe(await first.evaluate("subscription.state.client"));
    expect(await first.evaluate("statuses.length"), "nothing new for the first tab").toBe(changes);
    await server.gateway.publish("begun", { data: 4 });
    for (const tab of [first, joined]) await eventually(async () => (await valuesOf(tab)).at(-1) === 4);
    expect([await valuesOf(first), await valuesOf(joined)]).toEqual([[2, 3, 4], [4]]);
    await first.close();
    await joined.close();
  });

  test("with a stored position, the first tab resumes, and one that joins elsewhere gets a gap", async () => {
    const stored = `cursor: client.localCursor("stored")`;
    const before = await openTab("/streams/stored", stored);
    await server.gateway.publish("stored", { data: 1 });
    await eventually(async () => (await valuesOf(before)).length === 1);
    await eventually(
      () => before.evaluate(`localStorage.getItem("spillway:stored") === subscription.cursor`),
      "stored",
    );
    await before.close();
    await eventually(() => subscribers("stored") === 0);
    await server.gateway.publish("stored", { data: 2 });
    const first = await openTab("/streams/stored", stored);
    await eventually(async () => (await valuesOf(first)).at(-1) === 2);
    const [id] = await server.gateway.publish("stored", { data: 3 });
    await eventually(() => first.evaluate<boolean>(`subscription.cursor === "${id}"`));
    const at = (position: string): string => `cursor: { load: () => "${position}", save() {} }`;
    const [same, other] = [await openTab("/streams/stored", at(id!)), await openTab("/streams/stored", at("a.1"))];
    await server.gateway.publish("stored", { data: 4 });
    for (const tab of [first, same, other]) await eventually(async () => (await valuesOf(tab)).at(-1) === 4);
    const [a, b, c] = await Promise.all([first, same, other].map(valuesOf));
    expect([a, b, c]).toEqual([[2, 3, 4], [4], ["spillway.gap", 4]]);
    expect(subscribers("stored")).toBe(1);
    for (const tab of [first, same, other]) await tab.close();
  });

  test("tabs share a connection to any server that resumes by id", async () => {
    const anyOrigin = { "access-control-allow-origin": "*", "access-control-allow-headers": "last-event-id" };
    const plain = await startScriptedServer((response, request) => {
      if (request.method === "OPTIONS") return void response.writeHead(204, anyOrigin).end();
      const last = Number(request.headers["last-event-id"] ?? 0);
      const blocks = [last + 1, last + 2].map((n) => `id: ${n}\ndata: ${n}\n\n`);
      streaming(blocks.join(""), anyOrigin)(response, request);
    });
    onTestFinished(plain.close);
    const leader = await openTab(plain.url);
    await eventually(async () => (await valuesOf(leader)).length === 2);
    const other = await openTab(plain.url);
    await leader.close();
    await eventually(async () => (await valuesOf(other)).length === 2);
    expect(await valuesOf(other)).toEqual([3, 4]);
    await other.close();
  });

  test("a leader whose process is stopped is replaced by a tab that is seen, and follows when it continues", async () => {
    const [leader, other] = [await openTab("/streams/other"), await openTab("/streams/other")];
    await server.gateway.publish("other", { data: 1 });
    await eventually(async () => (await valuesOf(other)).length === 1);
    const resume = await stopPage(browser, leader);
    onTestFinished(resume);
    await eventually(() => other.evaluate<boolean>("asked > 0"), "another leader");
    await server.gateway.publish("other", { data: 2 });
    await eventually(async () => (await valuesOf(other)).length === 2);
    resume();
    await eventually(async () => (await valuesOf(leader)).length === 2, "the old leader follows");
    expect([await valuesOf(leader), await valuesOf(other)]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    await eventually(() => subscribers("other") === 1);
  });
});
