import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import {
  createGateway,
  type Gateway,
  type GatewayConfig,
  type Logger,
  type RouteConfig,
  type TransformConfig,
} from "spillway";
import { doors, type Door, type DoorKind } from "../../support/doors.ts";
import { startHttpOrigin, type HttpOrigin } from "./origin.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { startWorkers } from "../../support/workers.ts";

let folder: string;
let module: string;
let origin: HttpOrigin;
let lines: Array<readonly [fields: object, message: string]>;

const logger: Logger = {
  debug() {},
  info() {},
  warn: (fields, message) => void lines.push([fields, message]),
  error: (fields, message) => void lines.push([fields, message]),
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "spillway-"));
  module = join(folder, "map.ts");
  lines = [];
  origin = await startHttpOrigin();
});

afterEach(async () => {
  await origin.close();
  await rm(folder, { recursive: true });
});

function routeWith(changes: Partial<RouteConfig>): Pick<GatewayConfig, "routes"> {
  return { routes: { "/events/**": { upstream: { url: origin.url }, access: "none", ...changes } } };
}

async function open(kind: DoorKind, changes: Partial<RouteConfig>): Promise<{ door: Door; gateway: Gateway }> {
  const config: GatewayConfig = {
    listen: "127.0.0.1:0",
    hosts: ["*"],
    store: "memory:",
    drain: 0,
    ...kind.config?.(),
    ...routeWith(changes),
  };
  const gateway = await createGateway(config, { logger, readConfig: () => config });
  const door = await kind.open(gateway);
  onTestFinished(async () => {
    await door.close();
    await gateway.close();
  });
  return { door, gateway };
}

async function transforming(
  source: string,
  onError: TransformConfig["onError"] = "pass",
): Promise<Partial<RouteConfig>> {
  await writeFile(module, source);
  return { transform: { module, onError } };
}

async function subscribe(door: Door): Promise<{ reading: Reading; source: ServerResponse }> {
  const [response, source] = await Promise.all([
    door.request("/events/a", { headers: { accept: "text/event-stream" } }),
    origin.next(),
  ]);
  return { reading: read(response), source };
}

const addGross = `
  import type { Transform } from "spillway";
  const transform: Transform = (event, { route, path, subject }) => {
    const order = event.json() as { net: number } | undefined;
    return order && { data: { gross: order.net * 2, route, path, subject } };
  };
  export default transform;`;

describe.each(doors)("through $name", (kind) => {
  test("a transform in TypeScript changes events, and the client sees nothing else of the target", async () => {
    const { door } = await open(kind, await transforming(addGross));
    const { reading, source } = await subscribe(door);
    expect(origin.headers.at(-1)!["accept-encoding"]).toBe("identity");
    source.write(": hello\n\nretry: 500\n\nid: 1\nda");
    source.write('ta: {"net":1}\n\nid: 2\ndata: no JSON\n\n');
    await reading.until(({ ids }) => ids.includes("2"));
    const data = JSON.stringify({ gross: 2, route: "/events/**", path: "/events/a", subject: "anonymous" });
    expect(reading.events).toEqual([{ event: "message", data, id: "1", lastEventId: "1" }]);
    expect([reading.comments, reading.retries]).toEqual([[" hello"], [500]]);
    source.end();
    await eventually(() => reading.ended);
  });

  test("an async transform keeps the order, also behind the end of the target", async () => {
    const source = `
      export default async ({ data }) => {
        await new Promise((resolve) => setTimeout(resolve, 10 - 3 * Number(data)));
        return [{ data: data + "a" }, { data: data + "b" }];
      };`;
    const { door } = await open(kind, await transforming(source));
    const { reading, source: response } = await subscribe(door);
    response.end("data: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\n");
    await eventually(() => reading.ended);
    expect(reading.data()).toEqual(["0a", "0b", "1a", "1b", "2a", "2b", "3a", "3b"]);
  });

  test("with `stop` a failing transform cuts the stream, and the target is left", async () => {
    const { door } = await open(
      kind,
      await transforming("export default (e) => { if (e.data === 'b') throw 1; return e; }", "stop"),
    );
    const { reading, source } = await subscribe(door);
    source.write("data: a\n\ndata: b\n\ndata: c\n\n");
    await eventually(() => reading.ended && source.destroyed);
    expect(reading.data()).not.toContain("b");
    expect(reading.data()).not.toContain("c");
  });

  test("a silent target's client gets heartbeats between events, and never within one", async () => {
    const { door } = await open(kind, { heartbeat: "30ms" });
    const { reading, source } = await subscribe(door);
    await reading.until(({ comments }) => comments.length >= 2);
    source.write("data: a\n");
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = reading.comments.length;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([reading.comments.length, reading.data()]).toEqual([before, []]);
    source.write("\n");
    await reading.until(({ comments }) => comments.length >= before + 2);
    expect(reading.data()).toEqual(["a"]);
  });
});

const [http1] = doors as [DoorKind, ...DoorKind[]];

test("heartbeats do not delay the idle timeout", async () => {
  const { door } = await open(http1, {
    heartbeat: "20ms",
    upstream: { url: origin.url, timeouts: { idle: "1s" } },
  });
  const { reading, source } = await subscribe(door);
  await eventually(() => reading.ended && source.destroyed);
  expect(reading.comments.length).toBeGreaterThan(2);
});

test("an encoded body passes unchanged, with one warning", async () => {
  const { door } = await open(http1, { ...(await transforming(addGross)), heartbeat: "20ms" });
  const body = gzipSync('data: {"net":1}\n\n');
  for (let i = 0; i < 2; i++) {
    origin.answer = (response) =>
      response.writeHead(200, { "content-type": "text/event-stream", "content-encoding": "gzip" }).end(body);
    const response = await door.request("/events/a");
    expect(await response.text()).toBe('data: {"net":1}\n\n');
  }
  expect(lines.map(([, message]) => message)).toEqual([expect.stringContaining("Content-Encoding")]);
});

test("other answers pass unchanged", async () => {
  const { door } = await open(http1, { ...(await transforming(addGross)), heartbeat: "20ms" });
  origin.answer = (response) =>
    response.writeHead(200, { "content-type": "text/plain", "etag": '"1"' }).end("data: a\n\n");
  const response = await door.request("/events/a");
  expect([await response.text(), response.headers.get("etag")]).toEqual(["data: a\n\n", '"1"']);
});

test("errors are logged once, with the module and its line, and without the data", async () => {
  const { door } = await open(http1, await transforming("export default (event) => {\n  JSON.parse(event.data);\n};"));
  const { reading, source } = await subscribe(door);
  source.write("data: secret one\n\ndata: secret two\n\n");
  await reading.until(({ events }) => events.length === 2);
  expect(lines).toEqual([
    [{ route: "/events/**", module, error: "SyntaxError", line: 2 }, "the transform failed for an event"],
  ]);
});

test("a slow async transform pauses the target", async () => {
  const { door } = await open(http1, await transforming("export default () => new Promise(() => {});"));
  const { source } = await subscribe(door);
  const chunk = `data: ${"x".repeat(65_536)}\n\n`;
  for (let i = 0; i < 1000; i++) source.write(chunk);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(source.writableLength).toBeGreaterThan(30_000_000);
});

describe("a module", () => {
  test("that is broken is refused at the start", async () => {
    await expect(open(http1, await transforming("export const map = 1;"))).rejects.toMatchObject({
      code: "config-invalid",
    });
  });

  test("that has changed is used by new streams after a reload, and open ones keep the old one", async () => {
    const { door, gateway } = await open(http1, await transforming('export default () => ({ data: "old" });'));
    const old = await subscribe(door);
    await writeFile(module, 'export default () => ({ data: "new" });');
    await gateway.reload();
    const young = await subscribe(door);
    for (const { source } of [old, young]) source.write("data: a\n\n");
    await Promise.all([old, young].map(({ reading }) => reading.until(({ events }) => events.length === 1)));
    expect([old.reading.data(), young.reading.data()]).toEqual([["old"], ["new"]]);
  });

  test("that has changed and is broken is refused by a reload, and the old one stays", async () => {
    const { door, gateway } = await open(http1, await transforming('export default () => ({ data: "old" });'));
    await writeFile(module, "export default (");
    await expect(gateway.reload()).rejects.toMatchObject({ code: "config-invalid" });
    const { reading, source } = await subscribe(door);
    source.write("data: a\n\n");
    await reading.until(({ events }) => events.length === 1);
    expect(reading.data()).toEqual(["old"]);
  });
});

test("workers change events too, and keep a module until a reload with one that is not broken", async () => {
  const config = routeWith(await transforming('export default () => ({ data: "first" });'));
  const server = await startWorkers(2, config);
  onTestFinished(() => server.close());
  const changed = async (): Promise<string[]> => {
    const [response, source] = await Promise.all([fetch(`${server.url}/events/a`), origin.next()]);
    source.end("data: a\n\n");
    return (await read(response).until(({ events }) => events.length === 1)).data();
  };
  const reload = async (source: string, message: string): Promise<void> => {
    await writeFile(module, source);
    server.program.process.kill("SIGHUP");
    await server.program.printed(message);
  };
  await expect(changed()).resolves.toEqual(["first"]);
  await reload("export default (", "configuration refused");
  await expect(changed()).resolves.toEqual(["first"]);
  await reload('export default () => ({ data: "second" });', "configuration applied");
  await expect(changed()).resolves.toEqual(["second"]);
});
