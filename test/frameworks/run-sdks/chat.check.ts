import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import type { GatewayConfig, RunConfig } from "../../../src/index.ts";
import { launchChromium } from "../../support/chromium.ts";
import { docFiles, root } from "../../support/doc-blocks.ts";
import { makeGuideApp, type GuideApp } from "../../support/guide-app.ts";
import { eventually } from "../../support/reader.ts";
import { prepareNode, type GatewayNode } from "../../support/run-nodes.ts";
import { startRunOrigin, type OriginRequest, type RunOrigin } from "../../support/run-origin.ts";
import { withoutIds } from "../../support/runs.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import { captures } from "./captures.ts";

/** The chat of docs/guides/resumable-llm-streams.md, with its gateway: built by Vite and used in Chromium. */

const guide = "docs/guides/resumable-llm-streams.md";
const blocks = captures.aiChat;

let app: GuideApp;
let browser: Browser;

beforeAll(async () => {
  app = await makeGuideApp("test/frameworks/run-sdks", guide);
  const vite = join(root, "test/frameworks/run-sdks/node_modules/.bin/vite");
  await promisify(execFile)(vite, ["build", app.folder, "--logLevel", "warn"], { cwd: app.folder });
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await app?.remove();
});

/** The application of the guide: its page, the messages that it stores, and answers that the test writes. */
interface Application extends RunOrigin {
  /** The requests for answers. */
  readonly asked: OriginRequest[];
}

async function startApplication(): Promise<Application> {
  const asked: OriginRequest[] = [];
  const stored = new Map<string, unknown>();
  const origin = await startRunOrigin((request) => {
    const { method, url, body, response } = request;
    const { pathname, searchParams } = new URL(url, "http://app.example");
    if (method === "POST") {
      const { id, messages } = JSON.parse(body) as { readonly id: string; readonly messages: unknown };
      stored.set(id, messages);
      asked.push(request);
    } else if (pathname === "/history") response.end(JSON.stringify(stored.get(searchParams.get("chat")!) ?? []));
    // Without a gateway, nothing can be joined again.
    else if (pathname.endsWith("/stream")) response.writeHead(204).end();
    else {
      const [file, type] = pathname === "/" ? ["index.html", "text/html"] : [pathname, "text/javascript"];
      void readFile(join(app.folder, "dist", file)).then((text) => response.setHeader("content-type", type).end(text));
    }
  });
  return { ...origin, asked };
}

/** The gateway of the guide, in front of an application. */
async function startGateway(
  { url }: Application,
  run: Partial<RunConfig> = {},
  store = "memory:",
): Promise<GatewayNode> {
  const { text } = docFiles(guide).find(({ name }) => name === "spillway.yaml")!;
  const config = parse(text.replaceAll("http://127.0.0.1:3000", url)) as GatewayConfig;
  const runs = Object.fromEntries(Object.entries(config.runs!).map(([path, own]) => [path, { ...own, ...run }]));
  const node = await prepareNode({ ...config, store, runs });
  await node.start();
  return node;
}

/** A page with a chat. */
interface Tab {
  readonly page: Page;
  readonly answer: Locator;
  readonly alert: Locator;
  button(name: "Send" | "Stop" | "Rejoin"): Locator;
  send(): Promise<void>;
  /** What `onFinish` of the hook was called with since the page was loaded. */
  finished(): Promise<ReadonlyArray<{ readonly message: { readonly parts: readonly unknown[] } }>>;
}

async function open(url: string, query = "chat=1"): Promise<Tab> {
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  page.on("pageerror", (error) => expect.unreachable(error.message));
  await page.goto(`${url}/?${query}`);
  const button: Tab["button"] = (name) => page.getByRole("button", { name });
  return {
    page,
    answer: page.locator("form > p:not([role])").last(),
    alert: page.getByRole("alert"),
    button,
    async send() {
      await page.getByLabel("message").fill("hi");
      await button("Send").click();
    },
    finished: () => page.evaluate("finished"),
  };
}

/** Sends a message, and a part of the answer: `Hello`. */
async function ask(tab: Tab, { asked }: Application): Promise<OriginRequest> {
  const known = asked.length;
  await tab.send();
  await eventually(() => asked.length > known, "a request");
  const request = asked[known]!;
  for (const block of blocks.slice(0, half)) request.send(block);
  await expect.poll(() => tab.answer.textContent()).toBe("Hello");
  return request;
}

const half = blocks.findIndex((block) => block.includes('"delta":"lo"')) + 1;

function finish({ send, response }: OriginRequest): void {
  for (const block of blocks.slice(half)) send(block);
  response.end();
}

/** The message that the hook has without a gateway. */
async function directMessage(): Promise<unknown> {
  const application = await startApplication();
  const tab = await open(application.url);
  finish(await ask(tab, application));
  await expect.poll(() => tab.finished()).toHaveLength(1);
  return (await tab.finished())[0]!.message;
}

/** Waits for the whole answer, which is the same as without a gateway. */
async function expectWhole(tab: Tab): Promise<void> {
  await expect.poll(() => tab.answer.textContent()).toBe("Hello, world!");
  await tab.button("Send").waitFor();
  const all = await tab.finished();
  expect(all.at(-1)).toMatchObject({ message: await directMessage(), isAbort: false, isError: false });
  expect(await tab.page.locator("p").allTextContents()).toEqual(["hi", "Hello, world!"]);
}

test("an answer streams, and its message is that of a direct request", async () => {
  const application = await startApplication();
  const { url } = await startGateway(application);
  const tab = await open(url);
  finish(await ask(tab, application));
  await expectWhole(tab);
  expect(JSON.stringify(await tab.finished())).toContain("reasoning");
});

test.each(["chat=1", "chat=a%2Fb%20c", "chat=1&prepared"])(
  "a page that is reloaded in mid-answer shows the rest, and nothing twice (%s)",
  async (query) => {
    const application = await startApplication();
    const { url } = await startGateway(application);
    const tab = await open(url, query);
    const request = await ask(tab, application);
    const path = query.includes("prepared") ? /\/stream\?prepared$/ : /\/api\/chat\/[^/]+\/stream$/;
    const joining = tab.page.waitForResponse((response) => path.test(response.url()));
    const reloading = tab.page.reload();
    request.send(blocks[half]!);
    await reloading;
    expect((await joining).status()).toBe(200);
    await expect.poll(() => tab.answer.textContent()).toBe("Hello, ");
    const second = await open(url, query);
    await expect.poll(() => second.answer.textContent()).toBe("Hello, ");
    for (const block of blocks.slice(half + 1)) request.send(block);
    request.response.end();
    await expectWhole(tab);
    await expectWhole(second);
    expect(application.asked).toHaveLength(1);
  },
);

test("where nothing runs, the hook is answered with 204 and is ready", async () => {
  const { url } = await startGateway(await startApplication());
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  const answer = page.waitForResponse((response) => response.url().endsWith("/api/chat/1/stream"));
  await page.goto(`${url}/?chat=1`);
  expect((await answer).status()).toBe(204);
  await page.getByRole("button", { name: "Send" }).waitFor();
  expect(await page.getByRole("alert").count()).toBe(0);
});

test.each([
  ["", false],
  [" after a reload", true],
])("Stop%s ends the answer for every page, and the request to the application", async (_, reloads) => {
  const application = await startApplication();
  const { url } = await startGateway(application);
  const tab = await open(url);
  const request = await ask(tab, application);
  if (reloads) await tab.page.reload();
  const second = await open(url);
  for (const { answer } of [tab, second]) await expect.poll(() => answer.textContent()).toBe("Hello");
  await tab.button("Stop").click();
  await request.aborted;
  for (const { button, alert, answer } of [tab, second]) {
    await button("Send").waitFor();
    expect([await answer.textContent(), await alert.count()]).toEqual(["Hello", 0]);
  }
  // The chat takes another message.
  await tab.send();
  await eventually(() => application.asked.length === 2, "a request");
});

test("stop() of the hook closes its connection, and the answer goes on", async () => {
  const application = await startApplication();
  const node = await startGateway(application);
  const { page, button } = await open(node.url, "chat=1&hook");
  const status = page.locator("i");
  const answering = page.waitForResponse((response) => response.request().method() === "POST");
  await button("Send").click();
  await eventually(() => application.asked.length === 1, "a request");
  const request = application.asked[0]!;
  for (const block of blocks.slice(0, half)) request.send(block);
  const run = (await (await answering).headerValue("location"))!;
  await expect.poll(() => status.textContent()).toBe("streaming");
  await button("Stop").click();
  await expect.poll(() => status.textContent()).toBe("ready");
  const refused = page.waitForResponse((response) => response.request().method() === "POST");
  await button("Send").click();
  expect((await refused).status()).toBe(422);
  expect(request.isAborted()).toBe(false);
  await page.reload();
  await expect.poll(() => status.textContent()).toBe("streaming");
  await button("Stop").click();
  await expect.poll(() => status.textContent()).toBe("ready");
  finish(request);
  const text = await (await node.send(run)).text();
  expect(withoutIds(text)).toBe(blocks.join(""));
});

test("with cancelAfter, stop() of the hook stops the answer", async () => {
  const application = await startApplication();
  const { url } = await startGateway(application, { onDisconnect: { cancelAfter: "1s" } });
  const { page, button } = await open(url, "chat=1&hook");
  await button("Send").click();
  await eventually(() => application.asked.length === 1, "a request");
  for (const block of blocks.slice(0, half)) application.asked[0]!.send(block);
  await expect.poll(() => page.locator("i").textContent()).toBe("streaming");
  await button("Stop").click();
  await application.asked[0]!.aborted;
});

test("an application that fails in mid-answer makes an error of the hook", async () => {
  const application = await startApplication();
  const { url } = await startGateway(application);
  const tab = await open(url);
  (await ask(tab, application)).response.destroy();
  await expect.poll(() => tab.alert.textContent()).toContain("the response was cut off");
});

test("a gateway that is killed in mid-answer makes an error of the hook, and can be asked again", async () => {
  const application = await startApplication();
  const folder = await mkdtemp(join(tmpdir(), "spillway-chat-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const node = await startGateway(application, {}, `sqlite:${folder}/runs.db`);
  const tab = await open(node.url);
  const request = await ask(tab, application);
  await node.kill("SIGKILL");
  await tab.alert.waitFor();
  await request.aborted;
  await node.start();
  await tab.page.reload();
  await tab.button("Send").waitFor();
  expect(await tab.alert.count()).toBe(0);
  finish(await ask(tab, application));
  await expect.poll(() => tab.finished()).toMatchObject([{ message: await directMessage() }]);
});

test("a page whose connection was lost joins the answer again, and shows nothing twice", async () => {
  const application = await startApplication();
  const { port } = await startGateway(application);
  const proxy = await startTcpProxy(port);
  onTestFinished(() => proxy.close());
  const tab = await open(`http://127.0.0.1:${proxy.port}`);
  const request = await ask(tab, application);
  proxy.reset();
  await tab.alert.waitFor();
  request.send(blocks[half]!);
  await tab.button("Rejoin").click();
  await expect.poll(() => tab.answer.textContent()).toBe("Hello, ");
  for (const block of blocks.slice(half + 1)) request.send(block);
  request.response.end();
  await expectWhole(tab);
});
