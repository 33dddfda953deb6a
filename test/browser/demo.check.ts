import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { request } from "node:http";
import { resolve } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { chromiumInstalled, launchChromium } from "../support/chromium.ts";
import { expectAccessible, expectNoSidewaysScroll } from "../support/dashboard-page.ts";
import { startExample, type Example } from "../support/example.ts";
import { freePort } from "../support/ports.ts";
import { warnMissing } from "../support/programs.ts";
import { eventually } from "../support/reader.ts";

/** The demo, as those who try it see it. */

let browser: Browser;
let demo: Example;
const ends: Array<() => Promise<void>> = [];
if (!chromiumInstalled) warnMissing("Chromium", "chromium");
beforeAll(async () => {
  if (chromiumInstalled) browser = await launchChromium();
  demo = await startExample("demo/start.js", (end) => ends.push(end));
});
afterAll(async () => {
  await browser?.close();
  for (const end of ends) await end();
});

interface State {
  readonly origin: string;
  readonly processes: Readonly<Record<"source" | "gateway" | "model", number>>;
  readonly market: { readonly earliest: string; readonly subscribers: number };
  readonly model: { readonly received: number; readonly open: number };
}

interface Shown {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Violations of the policy, and errors of the pages. */
  readonly complaints: string[];
}

async function getState(): Promise<State> {
  return (await (await fetch(new URL("/control/state", demo.url))).json()) as State;
}

async function showDemo(settings: Parameters<Browser["newContext"]>[0] = {}): Promise<Shown> {
  const context = await browser.newContext(settings);
  onTestFinished(() => context.close());
  const complaints: string[] = [];
  context.on("console", (message) => {
    // Connections are lost on purpose, and the browser reports each.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      complaints.push(message.text());
  });
  context.on("weberror", (error) => void complaints.push(error.error().message));
  const page = await context.newPage();
  await page.goto(demo.url);
  await page.locator("#state", { hasText: "live" }).waitFor();
  return { context, page, complaints };
}

/** Presses a button and waits for what it says. */
async function press(page: Page, name: string, id: string): Promise<string> {
  await page.getByRole("button", { name }).click();
  const result = page.locator(`#${id}-result`);
  await eventually(async () => !["…", "nothing yet"].includes((await result.textContent())!), `the result of ${name}`);
  return (await result.textContent())!;
}

const numberOf = (text: string | undefined): number => Number(text?.replaceAll(",", ""));
const textOf = async (page: Page, id: string): Promise<string> => (await page.locator(`#${id}`).textContent())!;

describe.runIf(chromiumInstalled)("the demo", () => {
  test("a lost connection, a killed gateway and a killed source cost no event", async () => {
    const { page, complaints } = await showDemo();
    const before = (await getState()).processes;

    const dropped = await press(page, "Drop my connection", "drop");
    expect(dropped).toMatch(
      /^No network for 5 s\. Resumed after event [\d,]+ with \d+ missed events: .*, 0 missing, 0 twice\.$/,
    );
    expect(numberOf(/with (\d+)/.exec(dropped)![1])).toBeGreaterThan(0);

    const restarted = await press(page, "Restart the gateway", "restart-gateway");
    const { gateway } = (await getState()).processes;
    expect(gateway).not.toBe(before.gateway);
    expect(restarted).toContain(`kill -9 of process ${before.gateway}; process ${gateway} served`);
    expect(restarted).toMatch(/Resumed after event [\d,]+: .*, 0 missing, 0 twice\.$/);

    const killed = await press(page, "Kill the source", "kill-source");
    const { source } = (await getState()).processes;
    expect(source).not.toBe(before.source);
    expect(killed).toContain(`kill -9 of process ${before.source}; process ${source} ran`);
    expect(killed).toMatch(/Your connection stayed open: .*, 0 missing, 0 twice\.$/);

    // All events from the first one to the last are there.
    const [first, last] = (await textOf(page, "seen")).split(" to ").map(numberOf);
    expect(last! - first! + 1).toBeGreaterThanOrEqual(numberOf(await textOf(page, "received")));
    expect([await textOf(page, "missing"), await textOf(page, "twice")]).toEqual(["0", "0"]);
    expect(complaints).toEqual([]);
  });

  test("a slow reader gets all events, and the gateway holds little of them in memory", async () => {
    const { page, complaints } = await showDemo();
    const result = await press(page, "Add a slow reader", "slow-reader");
    const [, held] =
      /read 10,000 events in [\d.]+ s, 0 missing; the slow reader 10,000 in [\d.]+ s, 0 missing, 0 twice\. .* (\d+) KiB/.exec(
        result,
      ) ?? expect.fail(result);
    expect(Number(held)).toBeLessThanOrEqual(256);
    expect(complaints).toEqual([]);
  });

  test("events that are no longer in the log are announced, once and counted", async () => {
    const { page } = await showDemo();
    await eventually(async () => Number((await getState()).market.earliest.split(".")[1]) > 2, "retention");
    const result = await press(page, "Come back too late", "gap");
    const [, lost, first] =
      /after event 1 of the log\. 1 gap event first: ([\d,]+) events? lost \(trimmed\)\. Then events ([\d,]+) to [\d,]+ seen, 0 missing, 0 twice/.exec(
        result,
      ) ?? expect.fail(result);
    expect(numberOf(lost)).toBe(numberOf(first) - 2);
  });

  test("tabs share one connection, and the second one leads when the first is closed", async () => {
    const { page, context } = await showDemo();
    await eventually(async () => (await textOf(page, "tab-result")).startsWith("This tab leads"));
    const opened = context.waitForEvent("page");
    await page.getByRole("link", { name: "Open a second tab", exact: true }).click();
    const second = await opened;
    await eventually(async () =>
      /^Another tab leads.* 2 tabs; the gateway counts 1 connection/.test(await textOf(second, "tab-result")),
    );
    await page.close();
    await eventually(async () => /^This tab leads.* 1 tab; .* 1 connection/.test(await textOf(second, "tab-result")));
    expect((await getState()).market.subscribers).toBe(1);
    expect([await textOf(second, "missing"), await textOf(second, "twice")]).toEqual(["0", "0"]);
  });

  test("an answer survives a reload, is shown on a second tab, and costs one request", async () => {
    const { page, context, complaints } = await showDemo();
    const { received } = (await getState()).model;
    await page.getByRole("button", { name: "Ask" }).click();
    await eventually(async () => numberOf((await textOf(page, "run-tokens")).split(" ")[0]) > 5, "tokens");
    await page.reload();
    const opened = context.waitForEvent("page");
    await page.getByRole("link", { name: "Open it on a second tab" }).click();
    const second = await opened;
    for (const tab of [page, second]) {
      await eventually(async () => (await textOf(tab, "run-result")).includes("completed"), "the end of the answer");
      const result = await textOf(tab, "run-result");
      expect(result).toMatch(
        /^Rejoined with \d+ tokens? stored; completed: tokens 1 to (\d+) of \1, 0 missing, 0 twice\. All from one request/,
      );
      expect(result).toContain(`(chatcmpl-${received + 1}); it answers 0 requests`);
    }
    expect(await textOf(page, "answer")).toBe(await textOf(second, "answer"));
    expect((await getState()).model).toEqual({ received: received + 1, open: 0 });
    expect(complaints).toEqual([]);
  });

  test("stop ends the request to the model", async () => {
    const { page } = await showDemo();
    const { received } = (await getState()).model;
    await page.getByRole("button", { name: "Ask" }).click();
    await eventually(async () => numberOf((await textOf(page, "run-tokens")).split(" ")[0]) > 5, "tokens");
    expect((await getState()).model).toEqual({ received: received + 1, open: 1 });
    await page.getByRole("button", { name: "Stop" }).click();
    await eventually(async () => (await textOf(page, "run-result")).includes("cancelled"), "the run has stopped");
    expect(await textOf(page, "run-result")).toMatch(/cancelled: tokens 1 to \d+, 0 missing, 0 twice/);
    expect((await getState()).model).toEqual({ received: received + 1, open: 0 });
  });

  test("a killed gateway ends an answer, which says that it is not complete", async () => {
    const { page } = await showDemo();
    await page.getByRole("button", { name: "Ask" }).click();
    await eventually(async () => numberOf((await textOf(page, "run-tokens")).split(" ")[0]) > 5, "tokens");
    await press(page, "Restart the gateway", "restart-gateway");
    await eventually(async () => (await textOf(page, "run-result")).includes("truncated"), "the run has ended");
    expect(await textOf(page, "run-result")).toMatch(/truncated: tokens 1 to \d+, 0 missing, 0 twice/);
  });

  test("buttons are pressed by keyboard, and keep the focus", async () => {
    const { page } = await showDemo();
    for (const key of ["Tab", "Enter", "Enter"]) await page.keyboard.press(key);
    const result = page.locator("#drop-result", { hasText: "Resumed" });
    await result.waitFor();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("drop");
    for (let tabs = 0; (await page.evaluate(() => document.activeElement?.id)) !== "question"; tabs++) {
      if (tabs > 30) expect.fail("the question was not reached");
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await page.locator("#run-tokens", { hasText: /[1-9]\d* tokens/ }).waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
    await page.locator("#run-result", { hasText: "cancelled" }).waitFor();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("stop");
  });

  test("the first event is shown without any action, right after the connection", async () => {
    const { page } = await showDemo();
    await page.locator("#tickers li").first().waitFor();
    const marks = (): Promise<string[]> =>
      page.evaluate(() => performance.getEntriesByType("mark").map(({ name }) => name));
    await eventually(async () => (await marks()).length === 3);
    expect(await marks()).toEqual(["page started", "history painted", "first live event painted"]);
  });

  test.each(["light", "dark"] as const)(
    "axe finds nothing, %s, and nothing scrolls sideways at 360 px",
    async (scheme) => {
      const { page, complaints } = await showDemo({ colorScheme: scheme, viewport: { width: 360, height: 740 } });
      await page.locator("#tickers li").nth(4).waitFor();
      await expectAccessible(page);
      await expectNoSidewaysScroll(page);
      await page.goto(new URL("/config.html#run", demo.url).href);
      await page.locator(".marked").first().waitFor();
      await expectAccessible(page);
      await expectNoSidewaysScroll(page);
      expect(complaints).toEqual([]);
    },
  );

  test("every link to the configuration marks its lines", async () => {
    const { page } = await showDemo();
    const yaml = await readFile(new URL("../../examples/demo/spillway.yaml", import.meta.url), "utf8");
    const links = await page
      .locator('a[href*="config.html#"]')
      .evaluateAll((all) => all.map((link) => (link as HTMLAnchorElement).href));
    expect(links.length).toBeGreaterThanOrEqual(7);
    const other = await page.context().newPage();
    for (const link of links) {
      await other.goto("about:blank");
      await other.goto(link);
      await other.locator(".marked").first().waitFor();
      const marked = await other.locator(".marked").allTextContents();
      expect(marked[0]).toContain(`[${new URL(link).hash.slice(1)}]`);
      expect(yaml).toContain(marked.join("\n"));
    }
    expect(
      (await fetch(await page.locator("#dashboard").evaluate((link) => (link as HTMLAnchorElement).href))).status,
    ).toBe(200);
    expect(demo.output()).toContain("Ctrl-C");
  });
});

test.each([
  ["another site", { origin: "https://evil.example" }],
  ["a page whose name resolves to 127.0.0.1", { host: "evil.example:8080", origin: "http://evil.example:8080" }],
  ["a program that does not say where it comes from", {}],
])("the demo's buttons refuse requests of %s", async (_, headers) => {
  const before = (await getState()).processes;
  const { port } = new URL(demo.url);
  const status = await new Promise((done, reject) => {
    request({ port, path: "/control/restart-gateway", method: "POST", headers }, (response) => {
      response.resume();
      done(response.statusCode);
    })
      .on("error", reject)
      .end();
  });
  expect(status).toBe(403);
  expect((await getState()).processes).toEqual(before);
});

test("the demo starts a part again that has crashed, and says so", async () => {
  const { model } = (await getState()).processes;
  process.kill(model, "SIGKILL");
  await eventually(() => demo.output().includes("The model was ended by SIGKILL, and is started again"));
  await eventually(async () => (await getState()).model !== undefined, "the model answers again");
  expect((await getState()).processes.model).not.toBe(model);
});

test("the demo ends with all its processes, and leaves no file", async () => {
  const own = await startExample("demo/start.js");
  const { processes } = (await (await fetch(new URL("/control/state", own.url))).json()) as State;
  expect(await own.stop()).toBe(0);
  for (const pid of Object.values(processes)) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  expect(await readdir(own.cwd)).toEqual([]);
});

test("the gateway of the demo also ends if the demo is killed", async () => {
  const own = await startExample("demo/start.js");
  const [, gateway] = /curl -N (http:\S+)\/streams\//.exec(own.output())!;
  expect((await fetch(`${gateway}/healthz`)).status).toBe(200);
  await own.stop("SIGKILL");
  await eventually(async () => !(await fetch(`${gateway}/healthz`).catch(() => undefined)), "the end of the gateway");
});

test("the demo says that its port is taken", async () => {
  const { port } = new URL(demo.url);
  const script = resolve(import.meta.dirname, "../../examples/demo/start.js");
  const child = spawn(process.execPath, [script], { env: { ...process.env, PORT: port } });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += String(chunk)));
  expect((await once(child, "close"))[0]).toBe(1);
  expect(errors).toBe(`spillway demo: port ${port} on 127.0.0.1 is in use; choose another one with PORT=<number>\n`);
});

test("a browser that is there before everything runs comes back by itself", async () => {
  const port = await freePort();
  const path = resolve(import.meta.dirname, "../../examples/demo/start.js");
  const child = spawn(process.execPath, [path], { env: { ...process.env, PORT: String(port) } });
  const exit = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await exit;
  });
  const statuses: number[] = [];
  await eventually(async () => {
    const response = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    if (response !== undefined) statuses.push(response.status);
    if (response?.status === 503) expect(response.headers.get("refresh")).toBe("1");
    return response?.status === 200;
  }, "the page");
  // It listens long before the three processes run.
  expect(statuses[0]).toBe(503);
});
