import { createServer } from "node:http";
import { once } from "node:events";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createGateway, type AccessConfig, type Gateway } from "spillway";
import { chromiumInstalled, launchChromium } from "../support/chromium.ts";
import { makeKey } from "../support/credentials.ts";
import { portOf } from "../support/ports.ts";
import { warnMissing } from "../support/programs.ts";

/** The page at the root, as users see it. */

let browser: Browser;
if (!chromiumInstalled) warnMissing("Chromium", "chromium");
beforeAll(async () => {
  if (chromiumInstalled) browser = await launchChromium();
});
afterAll(() => browser?.close());

interface Shown {
  readonly gateway: Gateway;
  readonly page: Page;
  readonly base: string;
  /** Requested URLs, and errors of the browser. */
  readonly requests: string[];
  readonly complaints: string[];
}

/** Opens the page of a gateway behind a proxy that adds `prefix`, which the gateway does not know. */
async function open(prefix: string, access?: AccessConfig): Promise<Shown> {
  const gateway = await createGateway({ store: "memory:", streams: { chat: {}, other: {} }, access });
  const server = createServer((request, response) => {
    const { url = "" } = request;
    if (!url.startsWith(`${prefix}/`)) return void response.writeHead(404).end();
    request.url = url.slice(prefix.length);
    gateway.node()(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const page = await browser.newPage();
  onTestFinished(async () => {
    await page.close();
    await gateway.close();
    server.closeAllConnections();
    server.close();
  });
  const base = `http://127.0.0.1:${portOf(server)}${prefix}/`;
  const shown: Shown = { gateway, page, base, requests: [], complaints: [] };
  page.on("request", (request) => void shown.requests.push(request.url()));
  page.on("console", (message) => void (message.type() === "error" && shown.complaints.push(message.text())));
  page.on("pageerror", (error) => void shown.complaints.push(error.message));
  await page.goto(base);
  return shown;
}

const rows = (page: Page): Promise<string[]> => page.locator("#list tr code").allTextContents();
const tail = (page: Page, text: string): Promise<void> => page.locator("#tail", { hasText: text }).waitFor();

describe.runIf(chromiumInstalled)("the page at the root", () => {
  test.each(["", "/live/feed"])("lists streams and shows events as they arrive, below %j", async (prefix) => {
    const { gateway, page, base, requests, complaints } = await open(prefix);
    await page.locator("#list tr").nth(1).waitFor();
    expect(await rows(page)).toEqual(["chat", "other"]);
    expect(await page.locator("#subscribe").textContent()).toBe(`curl -N ${base}streams/chat`);
    await gateway.publish("chat", { data: "before", event: "said" });
    await page.getByRole("button", { name: "Tail" }).first().click();
    await tail(page, "before");
    await gateway.publish("chat", { data: "after", event: "said", channel: "room" });
    await tail(page, "said  room  after");
    expect(await page.locator("#curl").textContent()).toBe(`curl -N ${base}streams/chat`);
    expect(requests.filter((url) => !url.startsWith(base) && !url.startsWith("data:"))).toEqual([]);
    expect(complaints).toEqual([]);
  });

  test("event content is shown as text, even if it looks like HTML", async () => {
    const { gateway, page, complaints } = await open("");
    const markup = `<img src=x onerror="document.title='run'"><script>document.title="run"</script>`;
    await page.getByRole("button", { name: "Tail" }).first().click();
    await tail(page, "connected");
    await gateway.publish("chat", { data: markup, event: markup, channel: markup, id: markup });
    await tail(page, markup);
    expect(await page.locator("#tail img, #tail script").count()).toBe(0);
    expect(await page.title()).toBe("Spillway");
    expect(complaints).toEqual([]);
  });

  test("with a key, the page shows what the key grants and nothing else", async () => {
    const key = makeKey("web", { streams: ["other"] });
    const { gateway, page } = await open("", { keys: [key.config] });
    await page.locator("#state", { hasText: "You have access to no stream" }).waitFor();
    expect(await rows(page)).toEqual([]);
    await page.getByLabel("API key").fill(key.key);
    await page.getByRole("button", { name: "Use" }).click();
    await page.locator("#list tr").first().waitFor();
    expect(await rows(page)).toEqual(["other"]);
    await page.getByRole("button", { name: "Tail" }).click();
    await tail(page, "connected");
    await gateway.publish("other", { data: "hello" });
    await tail(page, "hello");
    expect(await page.locator("#curl").textContent()).toContain("X-API-Key: $KEY");
    expect(await page.content()).not.toContain(key.key);
  });
});
