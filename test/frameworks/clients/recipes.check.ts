import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { createGateway, type Gateway } from "../../../src/index.ts";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { launchChromium } from "../../support/chromium.ts";
import { root } from "../../support/doc-blocks.ts";
import { makeGuideApp, type GuideApp } from "../../support/guide-app.ts";
import { portOf } from "../../support/ports.ts";
import { startTcpProxy, type TcpProxy } from "../../support/tcp-proxy.ts";

/** The recipes of docs/guides/client-frameworks.md: built by Vite, rendered by a server, and run in Chromium. */

const run = promisify(execFile);
const frameworks = ["vue", "svelte", "solid", "tanstack"] as const;
type Framework = (typeof frameworks)[number];

/** What a server makes of a recipe. */
interface Rendered {
  readonly head?: string;
  render(): string | Promise<string>;
}

let app: GuideApp;
/** A new one in each test. */
let gateway: Gateway;
let server: Server;
let proxy: TcpProxy;
let browser: Browser;
/** The paths of all requests. */
const requests: string[] = [];
/** What `/api/orders` answers with. */
let orders: Record<string, { id: string; status: string }> = {};

beforeAll(async () => {
  app = await makeGuideApp("test/frameworks/clients", "docs/guides/client-frameworks.md");
  server = createServer((request, response) => {
    const path = new URL(request.url!, "http://page.example").pathname;
    requests.push(path);
    const [, first, framework] = path.split("/");
    if (first === "live") {
      request.url = request.url!.slice("/live".length);
      return gateway.node()(request, response);
    }
    if (first === "api") return response.setHeader("content-type", "application/json").end(JSON.stringify(orders));
    const type = path.endsWith(".js") ? "text/javascript" : "text/html";
    response.setHeader("content-type", `${type}; charset=utf-8`);
    return void (type === "text/html" ? page(first as Framework) : script(framework as Framework)).then((text) =>
      response.end(text),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy = await startTcpProxy(portOf(server));
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await proxy?.close();
  server?.close();
  server?.closeAllConnections();
  await app?.remove();
});

const vite = (framework: Framework, ...args: string[]): Promise<unknown> =>
  run(
    join(root, "test/frameworks/clients/node_modules/.bin/vite"),
    ["build", app.folder, "--config", "vite.config.js", "--mode", framework, ...args],
    { cwd: join(root, "test/frameworks/clients") },
  );

function rendered(framework: Framework): Promise<Rendered> {
  const file = join(app.folder, `dist/${framework}/server/entry.js`);
  return import(pathToFileURL(file).href) as Promise<Rendered>;
}

async function page(framework: Framework): Promise<string> {
  const { head = "", render } = await rendered(framework);
  return `<!doctype html><html lang="en"><head><title>${framework}</title><link rel="icon" href="data:,">${head}</head>
<body><main>${await render()}</main><script type="module" src="/assets/${framework}/entry.js"></script></body></html>`;
}

function script(framework: Framework): Promise<string> {
  return readFile(join(app.folder, `dist/${framework}/client/entry.js`), "utf8");
}

/** The texts of the list. */
const listed = (tab: Page): Promise<string[]> => tab.locator("li").allInnerTexts();
const subscribers = (): number =>
  Object.values(gateway.status().streams).reduce((sum, stream) => sum + stream.subscribers, 0);

async function open(framework: Framework): Promise<Page> {
  gateway = await createGateway({ store: "memory:", streams: { trades: {}, orders: {} } });
  onTestFinished(() => gateway.close());
  const tab = await browser.newPage();
  onTestFinished(() => tab.close());
  tab.on("pageerror", (error) => expect.unreachable(error.message));
  await tab.goto(`http://127.0.0.1:${proxy.port}/${framework}`);
  await expect.poll(subscribers).toBe(1);
  return tab;
}

/** Something happens, which the list shows as its text. */
async function happen(framework: Framework, n: number): Promise<string> {
  if (framework === "tanstack") {
    const order = { id: `order-${n}`, status: "paid" };
    orders[order.id] = order;
    await gateway.publish("orders", { event: "changed", data: order });
    return `${order.id}: paid`;
  }
  await gateway.publish("trades", { event: "trade", data: { symbol: framework, price: n } });
  return `${framework}: ${n}`;
}

test("the modules of the guide compile with the types of the frameworks", async () => {
  const react = {
    compilerOptions: { jsx: "react-jsx", jsxImportSource: "react" },
    include: ["src/orders.ts", "src/Orders.tsx"],
  };
  const solid = {
    compilerOptions: { jsx: "preserve", jsxImportSource: "solid-js" },
    include: ["src/*.ts", "src/Trades.tsx"],
  };
  for (const [name, { compilerOptions, include }] of Object.entries({ react, solid })) {
    const file = join(app.folder, `tsconfig.${name}.json`);
    const options = { module: "preserve", target: "es2023", strict: true, exactOptionalPropertyTypes: true };
    const more = { allowImportingTsExtensions: true, noEmit: true, types: [] };
    await writeFile(file, JSON.stringify({ compilerOptions: { ...options, ...more, ...compilerOptions }, include }));
    const { stdout } = await run(join(root, "node_modules/.bin/tsc"), ["-p", file]).catch(
      (error: unknown) => error as { stdout: string },
    );
    expect(stdout).toBe("");
  }
});

describe.each(frameworks)("%s", (framework) => {
  beforeAll(async () => {
    // One after the other: Vite locks the folder.
    await vite(framework);
    await vite(framework, "--ssr");
  });

  test("a server renders the initial data, and sends no request", async () => {
    const fetched = vi.spyOn(globalThis, "fetch");
    const { render } = await rendered(framework);
    expect(await render()).toMatch(/<ul[^]*<\/ul>/);
    await new Promise(setImmediate);
    expect(fetched).not.toHaveBeenCalled();
  });

  test("events arrive, none is missing or doubled after a cut, and unmounting closes the connection", async () => {
    orders = {};
    const tab = await open(framework);
    const expected = [];
    for (let n = 1; n <= 3; n++) expected.push(await happen(framework, n));
    await expect.poll(() => listed(tab)).toEqual(expected);
    const loads = requests.filter((path) => path === "/api/orders").length;

    proxy.refuse(true);
    proxy.reset();
    await expect.poll(subscribers).toBe(0);
    for (let n = 4; n <= 6; n++) expected.push(await happen(framework, n));
    proxy.refuse(false);
    await expect.poll(() => listed(tab)).toEqual(expected);
    expected.push(await happen(framework, 7));
    await expect.poll(() => listed(tab)).toEqual(expected);
    expect(requests.filter((path) => path === "/api/orders")).toHaveLength(loads);
    expect(subscribers()).toBe(1);

    await tab.evaluate("unmount()");
    await expect.poll(subscribers).toBe(0);
  });
});
