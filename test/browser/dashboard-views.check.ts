import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { chromiumInstalled, launchChromium } from "../support/chromium.ts";
import { makeKey } from "../support/credentials.ts";
import {
  expectAccessible,
  expectNoSidewaysScroll,
  logIn,
  operator,
  showDashboard,
  type ShownDashboard,
} from "../support/dashboard-page.ts";
import { freePort } from "../support/ports.ts";
import { startCli } from "../support/process.ts";
import { warnMissing } from "../support/programs.ts";
import { eventually } from "../support/reader.ts";
import { startNumberedUpstream } from "../support/numbered-upstream.js";

/** The views of the dashboard, as their users see them. */

let browser: Browser;
if (!chromiumInstalled) warnMissing("Chromium", "chromium");
beforeAll(async () => {
  if (chromiumInstalled) browser = await launchChromium();
});
afterAll(() => browser?.close());

/** Opens a view, with a login. */
async function openView(path: string, options: Parameters<typeof showDashboard>[1] = {}): Promise<ShownDashboard> {
  const shown = await showDashboard(browser, options);
  await logIn(shown.page);
  await shown.page.getByRole("navigation", { name: "Views" }).waitFor();
  await go(shown.page, path);
  return shown;
}

async function go(page: Page, path: string): Promise<void> {
  await page.evaluate((hash) => void (location.hash = hash), `#/${path}`);
}

const rows = (page: Page): ReturnType<Page["locator"]> => page.locator(".tail > li");
const numberIn = async (page: Page, id: string): Promise<number> =>
  Number((await page.getByTestId(id).textContent())!.replaceAll(/\D/g, ""));

describe.runIf(chromiumInstalled)("the dashboard's views", () => {
  test.each(["light", "dark"] as const)(
    "axe finds nothing in any view, %s, and none scrolls sideways at 360 px",
    async (colorScheme) => {
      const source = await startNumberedUpstream();
      onTestFinished(() => source.close());
      const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
      const { page, gateway, complaints } = await showDashboard(browser, {
        context: { colorScheme },
        config: {
          store: "memory:",
          dashboard: { write: true },
          access: { keys: [operator.config] },
          streams: {
            numbers: { upstream: { url: source.url } },
            refused: { upstream: { url: "http://127.0.0.1:1/" } },
            chat: { retention: { events: 100 } },
          },
          routes: { "/api/**": { upstream: { urls: [source.url, "http://127.0.0.1:1"] } } },
          deliveries: { billing: { stream: "chat", url: "http://127.0.0.1:1/", sign: { scheme: "standard", secret } } },
        },
      });
      await gateway.publish("chat", { data: JSON.stringify({ text: "x".repeat(300), list: [1, { a: 2 }] }) });
      const check = async (): Promise<void> => {
        for (const width of [360, 1280]) {
          await page.setViewportSize({ width, height: 800 });
          await expectNoSidewaysScroll(page);
          await expectAccessible(page);
        }
      };
      await page.getByLabel("API key or token").waitFor();
      await check();
      await logIn(page);
      for (const [path, shown] of [
        ["", "numbers"],
        ["streams/chat", "received"],
        ["subscribers", "Subject"],
        ["publish", "Data"],
        ["sources", "ECONNREFUSED"],
        ["routes", "Ejections"],
        ["deliveries", "billing"],
        ["cluster", "Uptime"],
        ["doctor", "listener"],
        ["config", "retention:"],
      ] as const) {
        await go(page, path);
        await page.locator("main").getByText(shown).first().waitFor();
        await check();
      }
      expect(complaints).toEqual([]);
    },
  );

  test("the tail shows events as text, with JSON that unfolds, and can be paused", async () => {
    const { page, gateway, complaints } = await openView("streams/prices");
    await page.getByText("No events yet").waitFor();
    const markup = `<img src=x onerror="document.title='run'">`;
    await gateway.publish("prices", [
      { event: "trade", data: JSON.stringify({ price: 64_000, book: { bid: [1, 2] }, note: markup }) },
      { event: markup, data: markup },
    ]);
    await rows(page).nth(1).waitFor();
    expect(await rows(page).first().textContent()).toContain(markup);
    expect(await page.locator(".tail img").count()).toBe(0);
    await page.locator("summary").first().click();
    await page.getByText("price: 64000").waitFor();
    await page.getByText("bid: [2]").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await gateway.publish("prices", [{ data: "hidden-1" }, { data: "hidden-2" }]);
    await page.getByText("2 not shown").waitFor();
    await page.getByText("2 events not shown").waitFor();
    await page.getByRole("button", { name: "Continue" }).click();
    await gateway.publish("prices", { data: "shown-again" });
    await page.getByText("shown-again").waitFor();
    expect(await page.locator(".tail").textContent()).not.toContain("hidden-");
    expect(await page.title()).toBe("Spillway dashboard");
    expect(complaints).toEqual([]);
  });

  test("events are selected by position, type, channel and expression, and a cursor is explained", async () => {
    const { page, gateway } = await openView("streams/prices", {
      config: {
        store: "memory:",
        dashboard: true,
        access: { keys: [operator.config] },
        streams: { prices: { retention: { events: 3 } } },
      },
    });
    await page.locator(".bar").getByText("open").waitFor();
    const ids: string[] = [];
    for (const price of [1, 2, 3, 4])
      ids.push(
        ...(await gateway.publish("prices", { event: "trade", channel: `c${price}`, data: `{"price":${price}}` })),
      );
    const shown = async (...texts: string[]): Promise<void> => {
      await eventually(async () => {
        const found = await page.locator(".tail .data").allTextContents();
        return texts.length === found.length && texts.every((text, i) => found[i]!.includes(text));
      }, `the events ${texts.join()}`);
    };
    const select = async (fields: Readonly<Record<string, string>>, position?: string): Promise<void> => {
      if (position !== undefined) await page.getByLabel("Start").selectOption(position);
      for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
      await page.getByRole("button", { name: "Show" }).click();
    };
    await shown("4", "3", "2", "1");
    await eventually(() => gateway.status().streams["prices"]!.events === 3, "retention");
    await select({ "How many": "1" });
    await shown("4");
    await select({ Filter: "data.price < 4" }, "earliest");
    await shown("3", "2");
    await select({ Filter: "", Channels: "c2, c4" });
    await shown("4", "2");
    await select({ Channels: "", Types: "quote" });
    await shown();
    await select({ Types: "", Id: ids[2]! }, "after");
    await shown("4");
    const outcome = page.locator(".outcome");
    await outcome.getByText("held").waitFor();
    // The first event is gone, but a client that has it misses nothing.
    await select({ Id: ids[0]! });
    await shown("4", "3", "2");
    await outcome.getByText("held").waitFor();
    await select({ Id: ids[0]!.replace(/\d+$/, "0") });
    await outcome.getByText("gap", { exact: true }).waitFor();
    await page.getByText("1 event lost").waitFor();
    await shown("4", "3", "2");
    await select({ Id: "unknown.1" });
    await outcome.getByText("reset", { exact: true }).waitFor();
    await select({ Filter: "data.price >" }, "earliest");
    await page.getByRole("alert").filter({ hasText: "filter" }).waitFor();
  });

  test("the URL names the selected events, so that a reload or a link shows them again", async () => {
    const { page, gateway } = await openView("streams/prices");
    const [first] = await gateway.publish("prices", [
      { event: "trade", channel: "a", data: "1" },
      { event: "trade", channel: "b", data: "2" },
      { event: "trade", channel: "a b", data: "3" },
      { event: "quote", channel: "a b", data: "4" },
    ]);
    const data = (): Promise<string[]> => page.locator(".tail .data").allTextContents();
    const shown = (...texts: string[]): Promise<void> =>
      eventually(async () => (await data()).join() === texts.join(), `the events ${texts.join()}`);
    const field = (label: string): Promise<string> => page.getByLabel(label, { exact: true }).inputValue();
    await page.getByLabel("Start").selectOption("after");
    await page.getByLabel("Id", { exact: true }).fill(first!);
    await page.getByLabel("Channels").fill("a b, b");
    await page.getByLabel("Types").fill("trade");
    await page.getByLabel("Filter").fill("data >= 2");
    await page.getByRole("button", { name: "Show" }).click();
    await shown("3", "2");
    await page.reload();
    await shown("3", "2");
    expect(await Promise.all(["Start", "Id", "Channels", "Types", "Filter"].map(field))).toEqual([
      "after",
      first,
      "a b, b",
      "trade",
      "data >= 2",
    ]);
    await page.locator(".outcome").getByText("held").waitFor();
    await go(page, "streams/prices?last=1");
    await shown("4");
    expect(await Promise.all(["Start", "How many", "Channels", "Filter"].map(field))).toEqual(["last", "1", "", ""]);
    await go(page, `streams/prices?since=${encodeURIComponent("2020-01-01T00:00:00Z")}&channels=a`);
    await shown("1");
    expect(await field("Start")).toBe("since");
    await go(page, "streams/prices?after=earliest&filter=data%20>");
    await page.getByRole("alert").filter({ hasText: "filter" }).waitFor();
  });

  test("at 5,000 events per second the tail counts every event that it does not show", async () => {
    const { page, gateway } = await openView("streams/prices");
    await page.getByText("No events yet").waitFor();
    const [perBatch, batches] = [250, 60];
    const begun = performance.now();
    for (let i = 0; i < batches; i++) {
      const due = begun + i * 50;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
      await gateway.publish(
        "prices",
        Array.from({ length: perBatch }, (_, k) => ({ data: `{"n":${i * perBatch + k}}` })),
      );
    }
    const total = perBatch * batches;
    await eventually(async () => (await numberIn(page, "received")) === total, "all events");
    // The last update may still be due.
    await eventually(async () => {
      const texts = await rows(page).allTextContents();
      return texts.some((text) => text.includes(`"n":${total - 1}`));
    }, "the last event");
    const texts = await rows(page).allTextContents();
    const skipped = texts
      .filter((text) => text.includes("not shown"))
      .map((text) => Number(text.replaceAll(/\D/g, "")));
    expect(skipped.length).toBeGreaterThan(0);
    const notShown = await numberIn(page, "skipped");
    expect(notShown).toBeGreaterThan(total / 2);
    // What is shown, and was shown before the oldest rows were removed, and what is counted, is everything.
    const shown = texts.length - skipped.length;
    expect(shown + notShown).toBeLessThanOrEqual(total);
    if (texts.length < 500) expect(shown + notShown).toBe(total);
    expect(texts.length).toBeLessThanOrEqual(500);
  });

  test("an open page costs at most 1 % of a core", async () => {
    const folder = await mkdtemp(join(tmpdir(), "spillway-dashboard-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, "spillway.json");
    const port = await freePort();
    const streams = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`s${i}`, {}]));
    await writeFile(
      file,
      JSON.stringify({ listen: port, store: "memory:", streams, access: { anonymous: ["admin"] } }),
    );
    const program = startCli("serve", "--config", file);
    onTestFinished(async () => void (await program.kill("SIGTERM")));
    await program.printed('"listening"');
    const url = `http://127.0.0.1:${port}`;
    const cpuSeconds = async (): Promise<number> => {
      const text = await (await fetch(`${url}/metrics`)).text();
      return Number(/^process_cpu_seconds_total (.+)$/m.exec(text)![1]);
    };
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    let polls = 0;
    page.on("response", (response) => void (response.url().endsWith("/status") && polls++));
    await page.goto(`${url}/dashboard/`);
    // The first requests load what later ones need.
    await eventually(() => polls >= 5);
    const [usedBefore, begun, pollsBefore] = [await cpuSeconds(), performance.now(), polls];
    await eventually(() => polls >= pollsBefore + 10);
    const seconds = (performance.now() - begun) / 1000;
    expect(((await cpuSeconds()) - usedBefore) / seconds).toBeLessThan(0.01);
  });

  test("without the right inspect, no content of an event reaches the page", async () => {
    const watcher = makeKey("watcher", { can: ["admin", "subscribe"] });
    const shown = await showDashboard(browser, {
      config: {
        store: "memory:",
        dashboard: true,
        access: { keys: [watcher.config] },
        streams: { prices: {}, chat: {} },
      },
    });
    const { page, gateway, requests } = shown;
    const bodies: string[] = [];
    page.on(
      "response",
      (response) =>
        void response.text().then(
          (text) => bodies.push(text),
          () => {},
        ),
    );
    await gateway.publish("prices", { event: "trade", channel: "vip", data: "secret-payload" });
    await logIn(page, watcher.key);
    for (const path of ["streams/prices", "subscribers", "sources", "cluster", "config"]) {
      await go(page, path);
      await page.locator("h1").waitFor();
      await page.waitForLoadState("networkidle");
    }
    await go(page, "streams/prices");
    await page.getByText("needs the right").waitFor();
    expect(bodies.length).toBeGreaterThan(5);
    expect(bodies.join("\n")).not.toMatch(/secret-payload|vip/);
    expect(requests.filter((url) => url.includes("/streams/prices"))).toEqual([]);
  });

  test("with write: true, events are published from templates, and subscriptions are ended", async () => {
    const config = { store: "memory:", dashboard: { write: true }, access: { keys: [operator.config] } } as const;
    const { page, gateway } = await openView("publish", { config: { ...config, streams: { prices: {} } } });
    await page.getByLabel("Type (default: message)").fill("trade");
    await page.getByLabel("Channel (optional)").fill("btc");
    await page.getByLabel("Data").fill('{"price":1}');
    await page.getByRole("button", { name: "Save as a template" }).click();
    await page.getByText("Saved as").waitFor();
    await page.reload();
    await page.getByRole("button", { name: "prices: trade", exact: true }).click();
    await page.getByRole("button", { name: "Publish", exact: true }).click();
    await page.getByText("Stored as").waitFor();
    await go(page, "streams/prices");
    await page.locator(".tail").getByText('{"price":1}').waitFor();
    const other = await page.context().newPage();
    await other.goto(page.url());
    await eventually(() => gateway.subscribers("prices").total === 2);
    await go(page, "subscribers");
    await eventually(() => gateway.subscribers("prices").total === 1);
    await eventually(async () => (await page.getByRole("button", { name: "This one" }).count()) === 1);
    page.on("dialog", (dialog) => void dialog.accept());
    await page.getByRole("button", { name: "This one" }).click();
    await page.getByText("Ended 1 subscription.").waitFor();
  });

  test("read-only, nothing offers a change", async () => {
    const { page } = await openView("publish");
    await page.getByText("Publishing needs the right").waitFor();
    await go(page, "subscribers");
    await page.getByText("Nobody is connected").waitFor();
    expect(await page.getByRole("button", { name: /This one|Its subject/ }).count()).toBe(0);
  });

  test("everything can be reached and used with the keyboard alone", async () => {
    const { page, gateway } = await showDashboard(browser);
    await gateway.publish("prices", { data: '{"a":1}' });
    await page.getByLabel("API key or token").waitFor();
    // The field has the focus.
    await page.keyboard.type(operator.key);
    await page.keyboard.press("Enter");
    await page.getByRole("row", { name: "prices" }).waitFor();
    const focused = (): Promise<string> => page.evaluate(() => document.activeElement?.textContent ?? "");
    const tabTo = async (text: string): Promise<void> => {
      for (let i = 0; i < 40 && (await focused()) !== text; i++) await page.keyboard.press("Tab");
      expect(await focused()).toBe(text);
    };
    await tabTo("prices");
    await page.keyboard.press("Enter");
    await page.locator(".tail summary").waitFor();
    await tabTo("Pause");
    await page.keyboard.press("Space");
    await page.getByRole("button", { name: "Continue" }).waitFor();
    await tabTo('{"a":1}');
    await page.keyboard.press("Enter");
    await page.getByText("a: 1").waitFor();
    await tabTo("Doctor");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Doctor" }).waitFor();
    await tabTo("Skip to the content");
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("main");
    await tabTo("Log out");
    await page.keyboard.press("Enter");
    await page.getByLabel("API key or token").waitFor();
  });
});
