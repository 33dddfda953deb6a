import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { SseEvent } from "../../../src/sse/index.ts";
import { launchChromium } from "../../support/chromium.ts";
import { root } from "../../support/doc-blocks.ts";
import { makeGuideApp, startServer, type GuideApp, type StartedServer } from "../../support/guide-app.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";

/** The application of docs/guides/next.md under `next dev`, `next start`, and as a standalone server. */

const next = join(root, "test/frameworks/next/node_modules/next/dist/bin/next");
const modes = ["dev", "start", "standalone"] as const;

let app: GuideApp;
let browser: Browser;
/** Relative to the application. */
let standalone: string;

beforeAll(async () => {
  app = await makeGuideApp("test/frameworks/next", "docs/guides/next.md");
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1" };
  await promisify(execFile)(process.execPath, [next, "build"], { cwd: app.folder, env });
  const files = await readdir(join(app.folder, ".next/standalone"), { recursive: true });
  const server = files.find((file) => file.endsWith("server.js") && !file.includes("node_modules"))!;
  standalone = join(".next/standalone", server);
  await cp(join(app.folder, ".next/static"), join(app.folder, dirname(standalone), ".next/static"), {
    recursive: true,
  });
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await app?.remove();
});

const logOf = (mode: (typeof modes)[number]): string =>
  join(app.folder, mode === "standalone" ? dirname(standalone) : "", "events.db");

async function start(mode: (typeof modes)[number]): Promise<StartedServer> {
  const command = mode === "standalone" ? [standalone] : [next, mode, "-H", "127.0.0.1"];
  return startServer(app, command, {
    HOSTNAME: "127.0.0.1",
    NEXT_TELEMETRY_DISABLED: "1",
    EVENTS_STORE: "sqlite:./events.db",
  });
}

test("a build opens nothing, and needs no variables", () => {
  expect(existsSync(join(app.folder, "events.db"))).toBe(false);
});

describe.each(modes)("%s", (mode) => {
  let server: StartedServer;
  beforeAll(async () => {
    server = await start(mode);
  });
  afterAll(async () => {
    await server?.stop();
    await rm(logOf(mode), { force: true });
  });

  async function follow(headers: Record<string, string> = {}): Promise<Reading> {
    const reading = read(await fetch(`${server.url}/live/streams/orders`, { headers }));
    await reading.until(({ events }) => events.length > 0);
    return reading;
  }
  async function order(item: string): Promise<string> {
    const answer = await fetch(`${server.url}/orders`, { method: "POST", body: JSON.stringify({ item }) });
    return ((await answer.json()) as { id: string }).id;
  }
  const subscribers = async (): Promise<number> => {
    const status = await fetch(`${server.url}/live/api/status`);
    return ((await status.json()) as { clientConnections: number }).clientConnections;
  };

  test("a page opens nothing; a subscriber gets what another route publishes, and resumes exactly", async () => {
    expect((await fetch(server.url)).status).toBe(200);
    expect(existsSync(logOf(mode))).toBe(false);
    const first = await follow();
    expect(first.controls("connected")).toMatchObject([{ stream: "orders" }]);
    const id = await order("tea");
    await first.until((all) => all.data().length === 1);
    expect(first.events.at(-1)).toMatchObject({ id, event: "created", data: '{"item":"tea"}' });
    await first.cancel();
    await expect.poll(subscribers).toBe(0);
    await order("cup");
    const second = await follow({ "last-event-id": id });
    await order("pot");
    await second.until((all) => all.data().length === 2);
    expect(second.data()).toEqual(['{"item":"cup"}', '{"item":"pot"}']);
    await second.cancel();
    expect((await fetch(`${server.url}/live/streams/orders`, { method: "HEAD" })).status).toBe(200);
  });

  test("a server action publishes, and the page shows it in a browser", async () => {
    const page = await browser.newPage();
    onTestFinished(() => page.close());
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(server.url);
    await expect.poll(subscribers).toBe(1);
    await page.getByLabel("item").fill(`jug from ${mode}`);
    await page.getByRole("button", { name: "Order" }).click();
    await page.getByText(`jug from ${mode}`).waitFor();
    expect(errors).toEqual([]);
  });

  test("grant decides about each request with the cookies of the application", async () => {
    const get = (path: string, cookie: string): Promise<Response> =>
      fetch(`${server.url}/private/streams/orders${path}`, { headers: { cookie } });
    expect((await get("", "session=of-eve")).status).toBe(403);
    const stream = read(await get("?channels=user:ada", "session=of-ada"));
    await stream.until(({ events }) => events.length > 0);
    expect(stream.controls("connected")).toHaveLength(1);
    await stream.cancel();
    expect((await get("?channels=user:eve", "session=of-ada")).status).toBe(403);
  });

  test.each(mode === "dev" ? [mode] : [])(
    "a hot reload keeps the gateway, and a changed configuration replaces it",
    async () => {
      const reading = await follow();
      await edit("app/orders/route.js", "status: 201", "status: 202");
      await eventually(
        async () => (await fetch(`${server.url}/orders`, { method: "POST", body: '{"item":"new"}' })).status === 202,
      );
      await reading.until((all) => all.data().length > 0);
      expect(reading.ended).toBe(false);
      const [first, last] = [reading.events[0], reading.events.at(-1)];
      expect(epochOf(last)).toBe(epochOf(first));

      await edit("lib/live.js", "orders: {}", "orders: {}, more: {}");
      await eventually(async () => (await (await fetch(`${server.url}/live/streams`)).text()).includes('"more"'));
      await reading.until(({ ended }) => ended);
      expect(reading.controls("spillway.bye")).toHaveLength(1);
    },
  );
  // The process of next dev is ended by its parent.
  test.each(mode === "dev" ? [] : [mode])("SIGTERM says goodbye to subscribers, and the process ends", async () => {
    const reading = await follow();
    // Otherwise Next.js would wait until the client closes the idle connection.
    expect(reading.response.headers.get("connection")).toBe("close");
    // Next.js exits with the status of the signal.
    expect([0, 143]).toContain(await server.stop());
    await reading.until(({ ended }) => ended);
    expect(reading.controls("spillway.bye")).toHaveLength(1);
    expect(server.output()).not.toMatch(/unhandled|Error:/i);
  });
});

const epochOf = (event: SseEvent | undefined): string | undefined => event?.id?.split(".")[0];

async function edit(file: string, text: string, other: string): Promise<void> {
  const path = join(app.folder, file);
  const before = await readFile(path, "utf8");
  expect(before).toContain(text);
  await writeFile(path, before.replace(text, other));
  onTestFinished(() => writeFile(path, before));
}
