import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../support/doc-blocks.ts";
import { makeGuideApp, startServer, type GuideApp, type StartedServer } from "../../support/guide-app.ts";
import { read } from "../../support/reader.ts";

/** The applications of docs/guides/server-frameworks.md, built and started as in production. */

const home = join(root, "test/frameworks/servers");
const bin = (name: string): string => join(home, "node_modules/.bin", name);
const json = { "content-type": "application/json" };

const servers = [
  { name: "h3", start: "h3.js" },
  { name: "Elysia", start: "elysia.js" },
  { name: "Nitro", build: [bin("nitropack"), "build"], start: ".output/server/index.mjs" },
  { name: "SvelteKit", build: [bin("vite"), "build"], start: "build/index.js" },
] as const;

let app: GuideApp;
beforeAll(async () => {
  app = await makeGuideApp("test/frameworks/servers", "docs/guides/server-frameworks.md");
  // Nitro has h3 1 beside it.
  await edit("h3.js", 'from "h3"', 'from "h3-2"');
  for (const file of ["h3.js", "elysia.js", "server/utils/gateway.js", "src/lib/server/gateway.js"])
    await edit(
      file,
      "streams: { orders: {} }",
      'streams: { orders: {} }, access: { anonymous: ["subscribe", "publish"] }',
    );
});
afterAll(() => app?.remove());

async function edit(file: string, text: string, other: string): Promise<void> {
  const path = join(app.folder, file);
  const before = await readFile(path, "utf8");
  expect(before).toContain(text);
  await writeFile(path, before.replace(text, other));
}

describe.each(servers)("$name", ({ start, ...rest }) => {
  let server: StartedServer;
  beforeAll(async () => {
    if ("build" in rest) await promisify(execFile)(rest.build[0], rest.build.slice(1), { cwd: app.folder });
    server = await startServer(app, [start]);
  });
  afterAll(() => server?.stop());

  const follow = (headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${server.url}/live/streams/orders`, { headers });
  const order = async (item: string): Promise<string> => {
    const answer = await fetch(`${server.url}/orders`, {
      method: "POST",
      headers: json,
      body: JSON.stringify({ item }),
    });
    return ((await answer.json()) as { id: string }).id;
  };
  const subscribers = async (): Promise<number> => {
    const status = await fetch(`${server.url}/live/api/status`);
    return ((await status.json()) as { clientConnections: number }).clientConnections;
  };

  test("a subscriber gets its first event at once, then what other routes publish, and resumes exactly", async () => {
    const first = read(await follow());
    await first.until(({ events }) => events.length === 1);
    expect(first.controls("connected")).toMatchObject([{ stream: "orders" }]);
    expect(first.response.headers.get("content-type")).toBe("text/event-stream");
    const ids = [await order("tea")];
    await first.until((all) => all.data().length === 1);
    await first.cancel();
    await expect.poll(subscribers).toBe(0);

    ids.push(await order("cup"), await order("pot"));
    const second = read(await follow({ "last-event-id": ids[0]! }));
    await second.until((all) => all.data().length === 2);
    ids.push(await order("jug"));
    await second.until((all) => all.data().length === 3);
    expect(second.data()).toEqual(['{"item":"cup"}', '{"item":"pot"}', '{"item":"jug"}']);
    expect(second.events.map(({ id }) => id).slice(-3)).toEqual(ids.slice(1));
    await second.cancel();
  });

  test("a client publishes below the mount, and is told what it did wrong", async () => {
    const publish = (body: string): Promise<Response> =>
      fetch(`${server.url}/live/streams/orders/events`, { method: "POST", headers: json, body });
    const answer = await publish('[{"event":"created","data":"a"},{"data":"b"}]');
    expect([answer.status, await answer.json()]).toMatchObject([200, { ids: [{}, {}] }]);
    const refused = await publish('{"data":');
    expect([refused.status, await refused.json()]).toMatchObject([400, { code: expect.any(String) as string }]);
    expect((await fetch(`${server.url}/live/streams/orders/events`, { method: "PUT" })).status).toBe(405);
  });

  test("SIGTERM says goodbye to subscribers, and ends the process", async () => {
    const reading = read(await follow());
    await reading.until(({ events }) => events.length === 1);
    expect(await server.stop()).toBe(0);
    await reading.until(({ ended }) => ended);
    expect(reading.controls("spillway.bye")).toHaveLength(1);
  });
});
