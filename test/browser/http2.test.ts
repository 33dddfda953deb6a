import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { Browser, Page } from "playwright-core";
import { createGateway, type Gateway } from "../../src/index.ts";
import { chromiumInstalled, launchChromium } from "../support/chromium.ts";
import { warnMissing } from "../support/programs.ts";
import { eventually } from "../support/reader.ts";
import { selfSigned } from "../support/self-signed.ts";

let browser: Browser;

if (!chromiumInstalled) warnMissing("Chromium", "chromium");
beforeAll(async () => {
  if (chromiumInstalled) browser = await launchChromium();
});
afterAll(() => browser?.close());

/** Five times the connections that a browser opens to one origin over HTTP/1.1. */
const count = 30;

/** A page of the gateway's own origin; its content does not matter. */
async function openPage(gateway: Gateway): Promise<Page> {
  const { port } = await gateway.listen();
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  await page.goto(`https://127.0.0.1:${port}/healthz`);
  return page;
}

test.runIf(chromiumInstalled)("Chromium keeps 30 streams to one origin open and can still send requests", async () => {
  const access = { anonymous: ["subscribe", "admin"] } as const;
  const config = { listen: "127.0.0.1:0", store: "memory:", access, tls: selfSigned(), streams: { s: {} } } as const;
  const gateway = await createGateway({ ...config, drain: "1s" });
  onTestFinished(() => gateway.close());
  const page = await openPage(gateway);
  await page.evaluate(`
    globalThis.received = Array.from({ length: ${count} }, () => []);
    globalThis.sources = received.map((events) => {
      const source = new EventSource("/streams/s");
      source.onmessage = ({ data }) => events.push(data);
      return source;
    });
  `);
  const opened = (): Promise<number> => page.evaluate("sources.filter(({ readyState }) => readyState === 1).length");
  await eventually(async () => (await opened()) === count);
  for (const data of ["a", "b", "c"]) await gateway.publish("s", { data });
  const complete = (): Promise<number> => page.evaluate("received.filter(({ length }) => length === 3).length");
  await eventually(async () => (await complete()) === count);
  expect(await page.evaluate("received")).toEqual(Array.from({ length: count }, () => ["a", "b", "c"]));
  expect(await page.evaluate("fetch('/healthz').then(({ status }) => status)")).toBe(200);
  const protocols = await page.evaluate<string[]>(
    "performance.getEntriesByType('resource').map(({ nextHopProtocol }) => nextHopProtocol)",
  );
  expect(new Set(protocols)).toEqual(new Set(["h2"]));
});
