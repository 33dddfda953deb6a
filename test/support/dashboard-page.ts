import { createServer } from "node:http";
import { once } from "node:events";
import axe from "axe-core";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { expect, onTestFinished } from "vitest";
import { createGateway, type CreateGatewayConfig, type Gateway } from "spillway";
import { makeKey } from "./credentials.ts";
import { portOf } from "./ports.ts";

/** A key with all rights of the dashboard. */
export const operator = makeKey("ops", { can: ["admin", "inspect", "publish"] });

/** The dashboard of a gateway in a browser. */
export interface ShownDashboard {
  readonly gateway: Gateway;
  readonly page: Page;
  /** The URL of the dashboard. */
  readonly url: string;
  /** All URLs that the page has requested. */
  readonly requests: string[];
  /** Violations of the policy, and errors of the page. */
  readonly complaints: string[];
}

export interface ShowOptions {
  readonly config?: CreateGatewayConfig;
  /** What a proxy in front of the gateway adds to its paths. */
  readonly prefix?: string;
  readonly context?: Parameters<Browser["newContext"]>[0];
}

/** Opens the dashboard of a new gateway, which is mounted below `prefix` and does not know it. */
export async function showDashboard(
  browser: Browser,
  { config, prefix = "", context: settings = {} }: ShowOptions = {},
): Promise<ShownDashboard> {
  const gateway = await createGateway({
    store: "memory:",
    streams: { prices: {}, chat: {} },
    dashboard: true,
    access: { keys: [operator.config] },
    ...config,
  });
  const handle = gateway.node();
  const server = createServer((request, response) => {
    const { url = "" } = request;
    if (!url.startsWith(`${prefix}/`)) return void response.writeHead(404).end();
    request.url = url.slice(prefix.length);
    handle(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const context: BrowserContext = await browser.newContext(settings);
  onTestFinished(async () => {
    await context.close();
    server.closeAllConnections();
    server.close();
    await gateway.close();
  });
  const page = await context.newPage();
  const url = `http://127.0.0.1:${portOf(server)}${prefix}/dashboard/`;
  const shown: ShownDashboard = { gateway, page, url, requests: [], complaints: [] };
  page.on("request", (request) => void shown.requests.push(request.url()));
  page.on("console", (message) => {
    // A refused request is part of a test, and the browser reports each.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      shown.complaints.push(message.text());
  });
  page.on("pageerror", (error) => void shown.complaints.push(error.message));
  await page.goto(url);
  return shown;
}

/** Logs in with a key, as a user does. */
export async function logIn(page: Page, key: string = operator.key): Promise<void> {
  await page.getByLabel("API key or token").fill(key);
  await page.getByRole("button", { name: "Log in" }).click();
}

/** Fails if axe finds anything on the page. */
export async function expectAccessible(page: Page): Promise<void> {
  // Evaluated by the debugger, so the policy of the page does not apply.
  await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const { violations } = await (
      globalThis as unknown as {
        readonly axe: {
          run(options: object): Promise<{
            readonly violations: ReadonlyArray<{
              readonly id: string;
              readonly nodes: ReadonlyArray<{ readonly html: string; readonly failureSummary?: string }>;
            }>;
          }>;
        };
      }
    ).axe.run({ resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary ?? ""}`),
    );
  });
  expect(found).toEqual([]);
}

/** Fails if the page is wider than the window. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const [wide, visible] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth] as const);
  expect(wide).toBeLessThanOrEqual(visible);
}
