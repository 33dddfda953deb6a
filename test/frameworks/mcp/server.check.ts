import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { root } from "../../support/doc-blocks.ts";
import { makeGuideApp, type GuideApp } from "../../support/guide-app.ts";
import { startProgram, type Program } from "../../support/process.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";
import { read, type Reading } from "../../support/reader.ts";

/** The server of docs/guides/mcp.md, in a process of its own. */

/** A session of the SDK's own client; see session.js. */
interface Session {
  readonly id: string;
  readonly protocolVersion: string;
  /** Calls the tool, which reports each number. */
  count(to: number, every: number, onProgress: (n: number) => void): Promise<unknown>;
  close(): Promise<void>;
}

const cleanUps: Array<() => unknown> = [];
let app: GuideApp;

beforeEach(async () => {
  app = await makeGuideApp("test/frameworks/mcp", "docs/guides/mcp.md");
});

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
  await app.remove();
});

async function startServer(): Promise<{ readonly program: Program; readonly port: number }> {
  const env = { PORT: "0", STORE: `sqlite:${join(app.folder, "mcp.db")}` };
  const program = startProgram(relative(root, join(app.folder, "server.js")), [], env);
  cleanUps.push(() => program.kill("SIGKILL"));
  await program.printed("port ");
  return { program, port: Number(/port (\d+)/.exec(program.output())![1]) };
}

async function openSession(port: number): Promise<Session> {
  const program = pathToFileURL(join(import.meta.dirname, "session.js")).href;
  const { openSession: open } = (await import(program)) as { openSession(url: string): Promise<Session> };
  const session = await open(`http://127.0.0.1:${port}/mcp`);
  cleanUps.push(() => session.close());
  return session;
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, n) => n + 1);

/** Sends a request of the session, with the ids as a client sees them. */
async function send(
  port: number,
  session: Session,
  request: { readonly body?: string; readonly lastEventId?: string },
): Promise<Reading> {
  const { body, lastEventId } = request;
  const response = await fetch(`http://127.0.0.1:${port}/mcp`, {
    ...(body !== undefined && { method: "POST", body }),
    headers: {
      "accept": "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-session-id": session.id,
      "mcp-protocol-version": session.protocolVersion,
      ...(lastEventId !== undefined && { "last-event-id": lastEventId }),
    },
  });
  expect(response.status).toBe(200);
  const reading = read(response);
  cleanUps.push(() => reading.cancel().catch(() => undefined));
  return reading;
}

const progressOf = (reading: Reading): number[] =>
  reading
    .data()
    .map((data) => (JSON.parse(data || "{}") as { params?: { progress?: number } }).params?.progress)
    .filter((progress) => progress !== undefined);

test("a call over a connection that is cut again and again", async () => {
  const { port } = await startServer();
  const proxy = await startTcpProxy(port);
  cleanUps.push(() => proxy.close());
  const session = await openSession(proxy.port);
  const seen: number[] = [];
  let cuts = 0;
  const result = await session.count(60, 20, (n) => {
    seen.push(n);
    if (n % 10 !== 5) return;
    cuts++;
    if (n % 20 === 5) proxy.cut();
    else proxy.reset();
  });
  expect(seen).toEqual(upTo(60));
  expect(cuts).toBe(6);
  expect(result).toMatchObject({ content: [{ text: "counted to 60" }] });
});

test("a session is replayed by another process after its own was killed", async () => {
  const first = await startServer();
  const session = await openSession(first.port);
  const other = await openSession(first.port);
  const params = { name: "count", arguments: { to: 100_000, every: 5 }, _meta: { progressToken: 1 } };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 99, method: "tools/call", params });
  const before = await send(first.port, session, { body });
  await before.until(() => progressOf(before).length >= 20);
  await first.program.kill("SIGKILL");
  const ids = before.events.map(({ id }) => id!);
  const lastEventId = ids[5]!;
  const seen = progressOf(before);

  const second = await startServer();
  const after = await send(second.port, session, { lastEventId });
  await after.until(() => after.ended);
  const replayed = progressOf(after);
  // What was sent is what was stored. The last messages may have been stored, but not sent.
  expect(replayed.slice(0, seen.length - 5)).toEqual(seen.slice(5));
  expect(replayed).toEqual(upTo(5 + replayed.length).slice(5));

  const stolen = await send(second.port, other, { lastEventId });
  await stolen.until(() => stolen.ended);
  expect(stolen.data()).toEqual([]);
});
