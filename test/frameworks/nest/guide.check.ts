import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { subscribe } from "../../../src/client/index.ts";
import { root } from "../../support/doc-blocks.ts";
import { makeGuideApp, startServer, type GuideApp, type StartedServer } from "../../support/guide-app.ts";
import { read } from "../../support/reader.ts";

/** The application of docs/guides/nest.md, compiled and started as in production. */

let app: GuideApp;
let server: StartedServer;

beforeAll(async () => {
  app = await makeGuideApp("test/frameworks/nest", "docs/guides/nest.md");
  const options = { target: "es2023", module: "nodenext", strict: true, skipLibCheck: true, types: ["node"] };
  const decorators = { experimentalDecorators: true, emitDecoratorMetadata: true };
  const config = { compilerOptions: { ...options, ...decorators, rootDir: "src", outDir: "dist" }, include: ["src"] };
  await writeFile(join(app.folder, "tsconfig.json"), JSON.stringify(config));
  await writeFile(join(app.folder, "package.json"), '{ "type": "module" }');
  const { stdout } = await promisify(execFile)(join(root, "node_modules/.bin/tsc"), ["-p", app.folder]).catch(
    (error: unknown) => error as { stdout: string },
  );
  if (stdout) throw new Error(stdout);
  server = await startServer(app, ["dist/main.js"]);
});
afterAll(async () => {
  await server?.stop();
  await app?.remove();
});

/** A token that is valid for so many seconds. */
function tokenOf(id: string, seconds: number): string {
  return Buffer.from(JSON.stringify({ id, expiresAt: Date.now() + seconds * 1000 })).toString("base64url");
}

async function order(user: string, item: string): Promise<void> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${server.url}/orders`, { method: "POST", headers, body: JSON.stringify({ user, item }) });
  expect(answer.status).toBe(201);
}

test("a client whose tokens expire while it reads gets every event once", async () => {
  let tokens = 0;
  const subscription = subscribe(`${server.url}/live/streams/orders`, {
    token: () => {
      tokens++;
      return tokenOf("ada", 2);
    },
    backoff: { min: 1, max: 50 },
  });
  const items: string[] = [];
  subscription.on("created", ({ data }) => void items.push((data as { item: string }).item));
  await expect.poll(() => subscription.state.status).toBe("open");
  const sent: string[] = [];
  while (tokens < 4) {
    sent.push(`item ${sent.length}`);
    await order("ada", sent.at(-1)!);
    await order("eve", "not for ada");
  }
  await expect.poll(() => items.length).toBe(sent.length);
  expect(items).toEqual(sent);
  subscription.close();
});

test("the guard refuses a request without a token", async () => {
  expect((await fetch(`${server.url}/live/streams/orders`)).status).toBe(401);
});

test("SIGTERM says goodbye to subscribers, and ends the process", async () => {
  const headers = { authorization: `Bearer ${tokenOf("ada", 600)}` };
  const reading = read(await fetch(`${server.url}/live/streams/orders`, { headers }));
  await reading.until(({ events }) => events.length === 1);
  // Nest ends the process by the signal once everything is closed.
  expect([0, null]).toContain(await server.stop());
  await reading.until(({ ended }) => ended);
  expect(reading.controls("spillway.bye")).toMatchObject([{ reason: "drain" }]);
});
