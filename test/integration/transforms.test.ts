import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createGateway,
  type Gateway,
  type GatewayConfig,
  type StreamStatus,
  type StreamTransformConfig,
} from "spillway";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { startNumberedUpstream, type NumberedOptions, type NumberedUpstream } from "../support/numbered-upstream.js";
import { testPatience } from "../support/patience.ts";
import { freePort } from "../support/ports.ts";
import { startCli } from "../support/process.ts";
import { eventually } from "../support/reader.ts";
import { startWorkers } from "../support/workers.ts";

let folder: string;
let module: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "spillway-transform-"));
  module = join(folder, "map.ts");
});

afterEach(() => rm(folder, { recursive: true }));

interface Stored {
  readonly event: string;
  readonly data: string;
  readonly channel: string | null;
}

interface Opened {
  readonly gateway: Gateway;
  /** Everything that was logged at warn and error. */
  readonly lines: readonly string[];
  status(stream?: string): StreamStatus;
  /** Writes the module and reloads. */
  reload(source: string): Promise<void>;
}

/** Opens a gateway whose stream `s` has the module. */
async function open(
  source: string,
  options: Omit<StreamTransformConfig, "module"> = {},
  { streams, ...config }: GatewayConfig = {},
): Promise<Opened> {
  await writeFile(module, source);
  const lines: string[] = [];
  const log = (fields: object, message: string): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const all: GatewayConfig = {
    store: "memory:",
    access: { anonymous: ["subscribe", "publish", "admin"] },
    ...config,
    streams: { ...streams, s: { transform: { module, ...options }, ...streams?.["s"] } },
  };
  const logger = { debug() {}, info() {}, warn: log, error: log };
  const gateway = await createGateway(all, { logger, readConfig: () => all });
  onTestFinished(() => gateway.close());
  return {
    gateway,
    lines,
    status: (stream = "s") => gateway.status().streams[stream]!,
    async reload(next) {
      await writeFile(module, next);
      await gateway.reload();
    },
  };
}

/** All events that a stream holds. */
async function stored({ fetch }: Pick<Gateway, "fetch">, stream = "s"): Promise<Stored[]> {
  const all: Stored[] = [];
  for (let after = "earliest"; ;) {
    const response = await fetch(
      new Request(`http://gateway/streams/${stream}?after=${after}&wait=0`, {
        headers: { accept: "application/json" },
      }),
    );
    const page = (await response.json()) as { events: readonly Stored[]; next: string };
    if (page.events.length === 0) return all;
    all.push(...page.events.map((each) => ({ event: each.event, data: each.data, channel: each.channel })));
    after = page.next;
  }
}

async function data(gateway: Pick<Gateway, "fetch">): Promise<string[]> {
  return (await stored(gateway)).map((event) => event.data);
}

async function startSource(options: Partial<NumberedOptions> = {}): Promise<NumberedUpstream> {
  const source = await startNumberedUpstream(options);
  onTestFinished(() => source.close());
  return source;
}

function post(gateway: Gateway, events: unknown): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return gateway.fetch(
    new Request("http://gateway/streams/s/events", { method: "POST", headers, body: JSON.stringify(events) }),
  );
}

/** Drops multiples of 5, splits even numbers, and maps and renames all. */
const changing = `
  import type { Transform } from "spillway";
  const transform: Transform<{ n: number }> = (event, { stream, published }) => {
    const { n } = event.json() ?? { n: 0 };
    if (n % 5 === 0) return undefined;
    const one = { event: "number", data: { n, stream, published }, channel: "n:" + n };
    return n % 2 === 0 ? [{ ...event, channel: null, event: "even" }, one] : one;
  };
  export default transform;`;

function changed(n: number, published: boolean, text = `{"n":${n}}`): Stored[] {
  if (n % 5 === 0) return [];
  const one = { event: "number", data: JSON.stringify({ n, stream: "s", published }), channel: `n:${n}` };
  return n % 2 === 0 ? [{ event: "even", data: text, channel: null }, one] : [one];
}

describe("a transform", () => {
  test("maps, drops, splits, renames and routes what is published, and the response has the ids of what is stored", async () => {
    const { gateway, status } = await open(changing);
    const response = await post(
      gateway,
      [1, 2, 5].map((n) => ({ data: { n } })),
    );
    expect(response.status).toBe(200);
    const { ids } = (await response.json()) as { ids: string[] };
    expect(ids.map((id) => id.split(".")[1])).toEqual(["1", "2", "3"]);
    await expect(gateway.publish("s", { data: { n: 10 } })).resolves.toEqual([]);
    expect(await stored(gateway)).toEqual([1, 2].flatMap((n) => changed(n, true)));
    const errors = { "transform-failed": 0, "transform-invalid": 0, "transform-timeout": 0 };
    expect(status().transform).toEqual({ transformed: 4, dropped: 2, errors, lastError: null });
  });

  test("changes the events of the upstream, and a dropped one still moves its position", async () => {
    const source = await startSource();
    source.control({ emit: 10 });
    const upstream = { url: source.url, connect: "always" as const };
    const { gateway, status } = await open(changing, {}, { streams: { s: { upstream } } });
    await eventually(() => status().upstream?.lastEventId === "10", "the last event");
    expect((await stored(gateway)).map(({ event, channel }) => [event, channel])).toEqual(
      [1, 2, 3, 4, 6, 7, 8, 9].flatMap((n) => changed(n, false)).map(({ event, channel }) => [event, channel]),
    );
  });

  test("that is async keeps the order of all events, also of concurrent publishers", async () => {
    const { gateway } = await open(`
      export default async (event) => {
        await new Promise((resolve) => setTimeout(resolve, 10 - Number(event.data)));
        return [event, { data: event.data + "'" }];
      };`);
    await Promise.all(
      [0, 3, 6, 9].map((n) =>
        gateway.publish(
          "s",
          [n, n + 1, n + 2].map((each) => ({ data: each })),
        ),
      ),
    );
    const all = Array.from({ length: 12 }, (_, n) => [`${n}`, `${n}'`]).flat();
    expect(await data(gateway)).toEqual(all);
  });

  test("does not change the ids of its source, which clients can resume with", async () => {
    const source = await startSource();
    source.control({ emit: 2 });
    const upstream = { url: source.url, connect: "always" as const };
    const { gateway, status } = await open(
      'export default (event) => [{ data: "a" }, { data: "b", id: "other" }];',
      {},
      { streams: { s: { upstream, ids: "upstream" } } },
    );
    await eventually(() => status().events === 4);
    const response = await gateway.fetch(
      new Request("http://gateway/streams/s?after=earliest&wait=0", { headers: { accept: "application/json" } }),
    );
    const { events } = (await response.json()) as { events: Array<{ id: string | null }> };
    expect(events.map(({ id }) => id)).toEqual([null, "1", null, "2"]);
  });

  test("is applied once by workers, in the process that stores the events", async () => {
    await writeFile(module, changing);
    const server = await startWorkers(2, {
      access: { anonymous: ["subscribe", "publish", "admin"] },
      streams: { s: { transform: module } },
    });
    onTestFinished(() => server.close());
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify([1, 2, 5].map((n) => ({ data: { n } })));
    const response = await fetch(`${server.url}/streams/s/events`, { method: "POST", headers, body });
    expect(((await response.json()) as { ids: string[] }).ids).toHaveLength(3);
    const status = (await (await fetch(`${server.url}/status`)).json()) as { streams: { s: StreamStatus } };
    expect(status.streams.s.transform).toMatchObject({ transformed: 3, dropped: 1 });
  });
});

/** Faults of a module for events whose data is `bad`, and their codes. */
const faults = [
  ["throws", "throw new Error('secret')", "transform-failed", 422],
  ["rejects", "return Promise.reject(new Error('secret'))", "transform-failed", 422],
  ["never settles", "return new Promise(() => {})", "transform-timeout", 503],
  ["returns text", "return 'secret'", "transform-invalid", 422],
  ["returns a value instead of an event", "return { price: 1 }", "transform-invalid", 422],
  ["returns a circular value", "const a = {}; a.a = a; return { data: a }", "transform-invalid", 422],
  ["returns a type with a line break", "return { event: 'a\\nid: 7' }", "transform-invalid", 422],
  ["returns a reserved type", "return { event: 'spillway.bye' }", "transform-invalid", 422],
  ["returns a channel with a comma", "return { channel: 'a,b' }", "transform-invalid", 422],
  ["returns too many events", "return Array(1001).fill(event)", "transform-invalid", 422],
  ["returns too much data", "return Array(20).fill({ data: 'x'.repeat(1 << 20) })", "transform-invalid", 422],
] as const;

const failing = (fault: string): string =>
  `export default (event) => { if (event.data === "bad") { ${fault}; } return event; };`;

const timeout = "50ms";

describe.each(faults)("a transform that %s", (_, fault, code, httpStatus) => {
  test("is counted and logged without data, and publishers get the code", async () => {
    const { gateway, lines, status } = await open(failing(fault), { timeout }, { streams: { other: {} } });
    const response = await post(gateway, [{ data: "good" }, { data: "bad" }]);
    expect(response.status).toBe(httpStatus);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ code, field: "[1]" });
    expect(text + lines.join()).not.toContain("secret");
    expect(text).not.toContain(folder);
    expect(lines).toEqual([expect.stringContaining(`"code":"${code}"`)]);
    expect(status().transform).toMatchObject({ errors: { [code]: 1 }, lastError: code });
    expect(await data(gateway)).toEqual([]);
    await gateway.publish("other", { data: "bad" });
    await gateway.publish("s", { data: "good" });
    expect([await data(gateway), status("other").events]).toEqual([["good"], 1]);
  });

  test("leaves the event out with `skip`, and stores it as it was with `pass`", async () => {
    const events = [{ data: "a" }, { data: "bad" }, { data: "b" }];
    const skipping = await open(failing(fault), { timeout, onError: "skip" });
    await expect(skipping.gateway.publish("s", events)).resolves.toHaveLength(2);
    expect(await data(skipping.gateway)).toEqual(["a", "b"]);
    expect(skipping.status().transform).toMatchObject({ transformed: 3, dropped: 1 });
    const passing = await open(failing(fault), { timeout, onError: "pass" });
    await expect(passing.gateway.publish("s", events)).resolves.toHaveLength(3);
    expect(await data(passing.gateway)).toEqual(["a", "bad", "b"]);
    expect(passing.status().transform).toMatchObject({ transformed: 3, dropped: 0 });
  });
});

const fromThird = `export default (event) => { if (event.json().n === 3) throw 1; return { data: event.json().n }; };`;

describe("a transform that fails for an event of the upstream", () => {
  async function openStopped(): Promise<Opened & { source: NumberedUpstream }> {
    const source = await startSource();
    source.control({ emit: 5 });
    const upstream = { url: source.url, connect: "always" as const };
    const opened = await open(fromThird, {}, { streams: { s: { upstream }, other: { upstream } } });
    await eventually(() => opened.status().upstream?.state === "stopped", "the stop");
    return { ...opened, source };
  }

  test("stops it there until a reload, which continues with that event; other streams are not affected", async () => {
    const { gateway, reload, status, source, lines } = await openStopped();
    expect(await data(gateway)).toEqual(["1", "2"]);
    expect(status().upstream).toMatchObject({ lastEventId: "2", lastError: "transform-failed", errors: 1 });
    expect(lines.join()).toContain("the upstream is stopped until a reload");
    await eventually(() => status("other").events === 5);
    source.control({ emit: 1 });
    await reload(fromThird);
    await eventually(() => status().transform?.errors["transform-failed"] === 2);
    expect(await data(gateway)).toEqual(["1", "2"]);
    await reload("export default (event) => ({ data: event.json().n });");
    await eventually(() => status().upstream?.lastEventId === "6");
    expect(await data(gateway)).toEqual(["1", "2", "3", "4", "5", "6"]);
  });

  test("stops nothing else: publishers are served", async () => {
    const { gateway } = await openStopped();
    await gateway.publish("s", { data: { n: 7 } });
    expect(await data(gateway)).toEqual(["1", "2", "7"]);
  });

  test("with `skip` goes on", async () => {
    const source = await startSource();
    source.control({ emit: 5 });
    const upstream = { url: source.url, connect: "always" as const };
    const { gateway, status } = await open(fromThird, { onError: "skip" }, { streams: { s: { upstream } } });
    await eventually(() => status().upstream?.lastEventId === "5");
    expect(await data(gateway)).toEqual(["1", "2", "4", "5"]);
  });

  test("and is pending does not delay the end of the gateway", async () => {
    const source = await startSource();
    source.control({ emit: 1 });
    const upstream = { url: source.url, connect: "always" as const };
    const { gateway, status } = await open(
      "export default () => { globalThis.pendingTransform = true; return new Promise(() => {}); }",
      { timeout: "1h" },
      { streams: { s: { upstream } } },
    );
    await eventually(() => status().upstream?.received === 1 && "pendingTransform" in globalThis);
    await gateway.close();
  });
});

test("a source that repeats events gets each one stored once, whatever became of it", async () => {
  const source = await startSource({ resume: "earlier", earlier: 7, dropEvery: 9, dropMode: "half", retry: 5 });
  source.control({ emit: 60 });
  const upstream = { url: source.url, connect: "always" as const, backoff: { min: "1ms", max: "5ms" } };
  const { gateway, status } = await open(changing, {}, { streams: { s: { upstream } } });
  await eventually(() => status().upstream?.lastEventId === "60", "the last event");
  expect(source.state().connections.length).toBeGreaterThan(10);
  expect((await stored(gateway)).map(({ channel }) => channel)).toEqual(
    Array.from({ length: 60 }, (_, n) => changed(n + 1, false).map(({ channel }) => channel)).flat(),
  );
});

describe("a reload", () => {
  test("replaces the module without a reconnect of the upstream", async () => {
    const source = await startSource();
    const upstream = { url: source.url, connect: "always" as const };
    const { gateway, status, reload } = await open(
      'export default () => ({ data: "old" });',
      {},
      { streams: { s: { upstream } } },
    );
    source.control({ emit: 1 });
    await eventually(() => status().events === 1);
    await reload('export default () => ({ data: "new" });');
    source.control({ emit: 1 });
    await eventually(() => status().events === 2);
    expect(await data(gateway)).toEqual(["old", "new"]);
    expect(source.state().connections).toHaveLength(1);
  });

  test("is refused for a broken module, whose field is named, and the old one stays", async () => {
    const { gateway, reload } = await open('export default () => ({ data: "old" });');
    await expect(reload("export default (")).rejects.toMatchObject({
      code: "config-invalid",
      field: "streams.s.transform",
    });
    await gateway.publish("s", { data: "x" });
    expect(await data(gateway)).toEqual(["old"]);
  });
});

test("the metrics have the counts", async () => {
  const { gateway } = await open(failing("throw 1"), { onError: "skip" });
  await gateway.publish("s", [{ data: "a" }, { data: "bad" }]);
  const text = await (await gateway.fetch(new Request("http://gateway/metrics"))).text();
  expect(text).toContain('spillway_transform_events_total{stream="s"} 2');
  expect(text).toContain('spillway_transform_events_dropped_total{stream="s"} 1');
  expect(text).toContain('spillway_transform_errors_total{stream="s",code="transform-failed"} 1');
});

/** How often the gateway is killed: `KILL_ROUNDS=25 npx vitest run test/integration/transforms.test.ts -t kill`. */
const rounds = Number(process.env["KILL_ROUNDS"] ?? 2);

test(
  `kill -9, ${rounds} times: SQLite has exactly what the transform makes of 1..M`,
  { timeout: testPatience + rounds * 10_000 },
  async () => {
    await writeFile(module, changing);
    const source = await startSource({ rate: 300, resume: "earlier", dropEvery: 97, dropMode: "half", retry: 10 });
    const port = await freePort();
    const config = join(folder, "spillway.json");
    const upstream = { url: source.url, connect: "always", backoff: { min: "10ms", max: "100ms" } };
    await writeFile(
      config,
      JSON.stringify({
        listen: port,
        store: `sqlite:${folder}/log.db`,
        access: { anonymous: ["subscribe", "admin"] },
        streams: { s: { upstream, transform: module } },
      }),
    );
    const fetchHere = {
      fetch: ({ url, headers }: Request) =>
        fetch(url.replace("http://gateway", `http://127.0.0.1:${port}`), { headers }),
    };
    const lastId = async (): Promise<number> => {
      const response = await fetch(`http://127.0.0.1:${port}/status`);
      const { streams } = (await response.json()) as { streams: { s: StreamStatus } };
      return Number(streams.s.upstream?.lastEventId ?? 0);
    };
    let program = startCli("serve", "--config", config);
    onTestFinished(async () => void (await program.kill("SIGKILL")));
    await program.printed('"listening"');
    for (let round = 0; round < rounds; round++) {
      const target = (await lastId()) + 1 + Math.floor(Math.random() * 60);
      await eventually(async () => (await lastId()) >= target, `event ${target}`);
      expect(await program.kill("SIGKILL")).toBe("SIGKILL");
      program = startCli("serve", "--config", config);
      await program.printed('"listening"');
    }
    source.control({ set: { rate: 0 } });
    const { last } = source.state();
    await eventually(async () => (await lastId()) === last, `event ${last}`);
    expect((await stored(fetchHere)).map(({ event, channel }) => [event, channel])).toEqual(
      Array.from({ length: last }, (_, n) =>
        changed(n + 1, false).map(({ event, channel }) => [event, channel]),
      ).flat(),
    );
  },
);

describe("of streams made on demand", () => {
  const mark = (text: string): string => `
    export default (event, { stream, published }) => {
      if (event.data === "drop") return undefined;
      if (event.data === "throw") throw new Error("no");
      return [{ data: \`\${event.data} ${text} \${stream} \${published}\` }, { event: "copy", data: event.data }];
    };`;

  async function openRooms(source: string): Promise<Opened> {
    return open(source, {}, { streams: { "room-*": { transform: { module } } } });
  }

  const dataOf = async (gateway: Gateway, stream: string): Promise<string[]> =>
    (await stored(gateway, stream)).map((each) => `${each.event} ${each.data}`);

  test("each of them stores what the module makes of its published events, and counts it", async () => {
    const { gateway, status } = await openRooms(mark("a"));
    expect(await gateway.publish("room-1", [{ data: "1" }, { data: "drop" }])).toHaveLength(2);
    await gateway.publish("room-2", { data: "2" });
    await expect(gateway.publish("room-2", [{ data: "3" }, { data: "throw" }])).rejects.toMatchObject({
      code: "transform-failed",
      field: "[1]",
    });
    expect(await dataOf(gateway, "room-1")).toEqual(["message 1 a room-1 true", "copy 1"]);
    expect(await dataOf(gateway, "room-2")).toEqual(["message 2 a room-2 true", "copy 2"]);
    expect(status("room-1").transform).toMatchObject({ transformed: 2, dropped: 1, lastError: null });
    expect(status("room-2").transform).toMatchObject({ transformed: 2, lastError: "transform-failed" });
    const metrics = await (await gateway.fetch(new Request("http://gateway/metrics"))).text();
    expect(metrics).toContain('spillway_transform_events_total{stream="room-*"} 4\n');
    expect(metrics).toContain('spillway_transform_events_dropped_total{stream="room-*"} 1\n');
  });

  test("a reload applies a changed module to streams that are open and to new ones; before it, to neither", async () => {
    const { gateway, reload } = await openRooms(mark("a"));
    await gateway.publish("room-1", { data: "1" });
    await writeFile(module, mark("b"));
    for (const room of ["room-1", "room-2"]) await gateway.publish(room, { data: "2" });
    expect((await dataOf(gateway, "room-1")).at(-2)).toBe("message 2 a room-1 true");
    expect((await dataOf(gateway, "room-2")).at(-2)).toBe("message 2 a room-2 true");
    await reload(mark("c"));
    const last = async (room: string): Promise<string | undefined> => {
      await gateway.publish(room, { data: "3" });
      return (await dataOf(gateway, room)).at(-2);
    };
    await eventually(
      async () => (await last("room-1")) === "message 3 c room-1 true",
      "the open stream has the module",
    );
    expect(await last("room-3")).toBe("message 3 c room-3 true");
  });

  test("a module that cannot be loaded prevents the start and a reload, and the previous one stays in use", async () => {
    await expect(openRooms("export default 1")).rejects.toMatchObject({ field: "streams.room-*.transform" });
    const { gateway, reload } = await openRooms(mark("a"));
    await gateway.publish("room-1", { data: "1" });
    await expect(reload("export default (")).rejects.toMatchObject({ field: "streams.room-*.transform" });
    for (const room of ["room-1", "room-2"]) {
      await gateway.publish(room, { data: "2" });
      expect((await dataOf(gateway, room)).at(-2)).toBe(`message 2 a ${room} true`);
    }
  });
});
