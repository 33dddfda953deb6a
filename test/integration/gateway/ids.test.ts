import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createGateway, type Gateway, type GatewayConfig, type Logger, type StreamConfig } from "spillway";
import { bearer, makeKey } from "../../support/credentials.ts";
import { startNumberedUpstream, type NumberedUpstream } from "../../support/numbered-upstream.js";
import { portOf } from "../../support/ports.ts";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { engines } from "../../support/shared-engines.ts";

/** A store at a separate location. */
interface Place {
  readonly url: string;
  remove(): Promise<void> | void;
}

async function openSqlite(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), "spillway-ids-"));
  return { url: `sqlite:${folder}/log.db`, remove: () => rm(folder, { recursive: true }) };
}

const stores: readonly { readonly name: string; openPlace(): Place | Promise<Place> }[] = [
  { name: "memory", openPlace: () => ({ url: "memory:", remove: () => {} }) },
  { name: "sqlite", openPlace: openSqlite },
  ...engines,
];

describe.each(stores)("on $name", ({ openPlace }) => {
  let place: Place;
  let source: NumberedUpstream;
  let gateway: Gateway;
  let base: string;
  let lines: Line[];

  beforeEach(async () => {
    place = await openPlace();
    source = await startNumberedUpstream({ retry: 10 });
  });

  afterEach(async () => {
    await gateway.close();
    await source.close();
    await place.remove();
  });

  async function start(stream: StreamConfig, access: GatewayConfig["access"] = { anonymous: everything }) {
    lines = [];
    const config = { listen: "127.0.0.1:0", store: place.url, access, streams: { s: stream } } as const;
    gateway = await createGateway(config, { logger: linesTo(lines) });
    base = `http://127.0.0.1:${(await gateway.listen()).port}/streams/s`;
  }

  const fed = (more: StreamConfig = {}, url = source.url): StreamConfig => ({
    ...more,
    upstream: { url, backoff: { min: 5, max: 50 } },
  });

  const subscribe = async (lastEventId: string, headers: Record<string, string> = {}): Promise<Reading> =>
    read(await fetch(`${base}?after=earliest`, { headers: { "last-event-id": lastEventId, ...headers } }));

  /** The data of the events after an id, until this many have arrived. */
  async function dataBehind(id: string, count: number, headers: Record<string, string> = {}): Promise<string[]> {
    const reading = await subscribe(id, headers);
    await reading.until(() => reading.data().length >= count);
    await reading.cancel();
    return reading.data().map(numberIn);
  }

  const held = (): number => gateway.status().streams["s"]!.events;

  test.each(["gateway", "upstream"] as const)(
    "all events of a source are stored, even if others were published with their ids: %s ids",
    async (ids) => {
      await start(fed({ ids }));
      source.control({ emit: 5 });
      await eventually(() => held() === 5, "five events");
      source.control({ always: { status: 503 }, drop: "end" });
      await gateway.publish(
        "s",
        [6, 7, 8, 9].map((id) => ({ id: String(id), data: `published ${id}` })),
      );
      source.control({ always: null, emit: 4 });
      await eventually(() => held() === 13, "all events");
      source.control({ emit: 1 });
      const published = [6, 7, 8, 9].map((id) => `published ${id}`);
      expect(await dataBehind("", 14)).toEqual([...upTo(1, 5), ...published, ...upTo(6, 10)]);
    },
  );

  test("events without an id that a source repeats are distinguished from events published in between", async () => {
    source.control({ set: { idEvery: 3, resume: "inclusive" } });
    await start(fed());
    source.control({ emit: 5 });
    await eventually(() => held() === 5, "five events");
    await gateway.publish("s", [{ data: "without an id" }, { data: "with an id", id: "3" }]);
    source.control({ drop: "end" });
    await eventually(() => source.state().connections.length === 2 && source.state().open === 1, "the source");
    source.control({ emit: 2 });
    expect(await dataBehind("", 9)).toEqual([...upTo(1, 5), "without an id", "with an id", ...upTo(6, 7)]);
  });

  test("a source that continues from now loses no event that equals an earlier one, and the log warns about duplicates", async () => {
    const ticks = await serveTicks();
    await start(fed({}, ticks.url));
    expect(await dataBehind("", 6)).toEqual(["first", ...Array<string>(5).fill("tick")]);
    const said = lines.filter(({ message }) => message.startsWith("the source has not shown that it replays"));
    expect(said).toMatchObject([{ level: "warn", stream: "s", target: "target-1" }]);
    await ticks.close();
  });

  test("publishing with an id that clients hold moves none of them", async () => {
    await start(fed({ ids: "upstream" }));
    source.control({ emit: 6 });
    await eventually(() => held() === 6, "six events");
    const cursors = await gateway.publish("s", [
      { id: "3", data: "three" },
      { id: "8", data: "eight" },
    ]);
    expect(cursors).toEqual([expect.stringMatching(/^\w+\.7$/), expect.stringMatching(/^\w+\.8$/)]);
    expect(await dataBehind("3", 5)).toEqual([...upTo(4, 6), "three", "eight"]);
    const unknown = await subscribe("8");
    expect(unknown.response.headers.get("spillway-resume")).toBe("gap");
    await unknown.cancel();
    source.control({ emit: 3 });
    await eventually(() => held() === 11, "three more");
    expect(await dataBehind("8", 1)).toEqual(["9"]);
    expect(await dataBehind("6", 5)).toEqual(["three", "eight", ...upTo(7, 9)]);
    const reading = await subscribe("6");
    await reading.until(() => reading.data().length === 5);
    await reading.cancel();
    expect(reading.events.filter(({ event }) => event === "message").map(({ id }) => id)).toEqual([
      undefined,
      undefined,
      "7",
      "8",
      "9",
    ]);
  });

  test("if several events have the same id, a client resumes after the first that it may see", async () => {
    const [a, b] = ["a", "b"].map((channel) =>
      makeKey(channel, { can: ["publish", "subscribe"], channels: [channel] }),
    );
    await start({ ids: "upstream" }, { keys: [a!.config, b!.config, all.config] });
    const post = (key: string, data: string, channel: string): Promise<Response> =>
      fetch(`${base}/events`, {
        method: "POST",
        headers: { "content-type": "application/json", ...bearer(key) },
        body: JSON.stringify({ data, channel, id: "same" }),
      });
    for (const [key, data, channel] of [
      [a, "a1", "a"],
      [b, "b1", "b"],
      [b, "b2", "b"],
      [a, "a2", "a"],
    ] as const) {
      const answer = await post(key!.key, data, channel);
      expect(await answer.json()).toEqual({ ids: ["same"] });
    }
    expect(await dataBehind("same", 1, bearer(b!.key))).toEqual(["b2"]);
    expect(await dataBehind("same", 1, bearer(a!.key))).toEqual(["a2"]);
    expect(await dataBehind("same", 3, bearer(all.key))).toEqual(["b1", "b2", "a2"]);
  });

  test("an id of an event that a client may not see is treated as unknown", async () => {
    const { key, config } = makeKey("limited", { can: ["subscribe"], channels: ["open", "user:*"], events: ["e"] });
    await start({ ids: "upstream", heartbeat: "20ms" }, { keys: [config, all.config] });
    const event = { event: "e", data: "x" };
    await gateway.publish("s", [
      { ...event, id: "seen", channel: "user:1" },
      { ...event, id: "hidden-channel", channel: "secret" },
      { ...event, id: "hidden-type", event: "f", channel: "open" },
      { ...event, id: "hidden-place" },
    ]);
    const ask = async (id: string): Promise<unknown[]> => {
      const headers = { "last-event-id": id, ...bearer(key) };
      const inquire = async (query: string): Promise<unknown[]> => {
        const { status, headers: given, body } = await fetch(`${base}?on-gap=fail${query}`, { headers });
        const outcome = [status, given.get("spillway-resume")];
        if (status !== 200) return [...outcome, (await new Response(body).text()).replaceAll(id, "…")];
        await body!.cancel();
        return outcome;
      };
      return Promise.all(["", "&channels=open", "&events=e"].map(inquire));
    };
    const unknown = await ask("nobodys");
    for (const answer of unknown) expect(answer).toEqual([410, "gap", expect.any(String)]);
    for (const id of ["hidden-channel", "hidden-type", "hidden-place"]) expect(await ask(id), id).toEqual(unknown);
    for (const answer of await ask("seen")) expect(answer).toEqual([200, "resumed"]);

    // Nor is it told of such an id where it is: at the head, which has that of an event that it may not see.
    const reading = read(await fetch(base, { headers: bearer(key) }));
    await reading.until(({ comments }) => comments.length >= 3);
    await reading.cancel();
    const told = [...reading.events.map(({ lastEventId }) => lastEventId), ...reading.ids];
    expect(told.filter((id) => id.startsWith("hidden"))).toEqual([]);
    expect(told.at(-1)).toMatch(/^\w+\.4$/);
    const whole = read(await fetch(base, { headers: bearer(all.key) }));
    await whole.until(({ events }) => events.length === 1);
    await whole.cancel();
    expect(whole.events[0]!.lastEventId).toBe("hidden-place");
  });

  test("an id in the form of a cursor cannot be published where ids are used to resume", async () => {
    await start({ ids: "upstream" });
    const [cursor] = await gateway.publish("s", { data: "1" });
    await gateway.publish("s", { data: "2" });
    for (const id of [cursor!, "zzzz.3"]) {
      for (const [contentType, body, field] of [
        ["application/json", JSON.stringify({ data: "x", id }), "body.id"],
        ["application/json", JSON.stringify([{ data: "x" }, { data: "x", id }]), "[1].id"],
        ["application/x-ndjson", `{"data":"x"}\n${JSON.stringify({ data: "x", id })}`, "line 2.id"],
        ["text/event-stream", `id: ${id}\ndata: x\n\n`, "[0].id"],
      ] as const) {
        const answer = await fetch(`${base}/events`, {
          method: "POST",
          headers: { "content-type": contentType },
          body,
        });
        expect([answer.status, await answer.json()]).toMatchObject([400, { code: "request-invalid", field, got: id }]);
      }
      const refused = { code: "request-invalid", field: "events[0].id" };
      await expect(gateway.publish("s", { data: "x", id })).rejects.toMatchObject(refused);
    }
    expect(await dataBehind(cursor!, 1)).toEqual(["2"]);
  });
});

interface Line {
  readonly level: string;
  readonly message: string;
}

function linesTo(lines: Line[]): Logger {
  const at =
    (level: string) =>
    (fields: object, message: string): void =>
      void lines.push({ ...fields, level, message });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

const everything = ["subscribe", "publish", "admin"] as const;

const all = makeKey("all", { can: ["subscribe", "publish", "admin"] });

const upTo = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

/** The number that the source gave an event, or its data. */
function numberIn(data: string): string {
  return data.startsWith("{") ? String((JSON.parse(data) as { n: number }).n) : data;
}

/** A source that gives only its first event an id, and always continues with live events. */
async function serveTicks(): Promise<{ readonly url: string; close(): Promise<void> }> {
  const tick = "data: tick\n\n";
  const bodies = [`id: 1\ndata: first\n\n${tick.repeat(2)}`, tick.repeat(3)];
  const server: Server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const body = bodies.shift();
    response.write(body ?? ":\n");
    if (bodies.length === 1) response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${portOf(server)}/`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
