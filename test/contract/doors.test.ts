import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { GatewayConfig } from "spillway";
import { doors } from "../support/doors.ts";
import { openGateway, openWorkers, stores, type Opened, type RemoteGateway } from "../support/gateways.ts";
import { eventually, read } from "../support/reader.ts";

/** Every promise of PROTOCOL.md towards one client, through every door, over every store. */
const combinations = [
  ...doors.flatMap((door) =>
    stores.map((store) => ({
      title: `${door.name} over ${store}`,
      openWith: (config: GatewayConfig) => openGateway(store, door, config),
    })),
  ),
  { title: "two workers over sqlite", openWith: openWorkers },
];

/** A module with the definition of the stream. */
let module: string;
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "spillway-definition-"));
  module = join(folder, "s.js");
  const validate = `(value) => (typeof value === "number" ? { value } : { issues: [{ message: "a number" }] })`;
  const schema = `{ "~standard": { version: 1, vendor: "own", validate: ${validate} } }`;
  await writeFile(module, `export const s = { name: "s", channels: [], events: { price: ${schema} } };\n`);
  return () => rm(folder, { recursive: true });
});

describe.each(combinations)("$title", ({ openWith }) => {
  let opened: Opened<RemoteGateway>;

  async function open(config: Partial<GatewayConfig> = {}): Promise<Opened<RemoteGateway>> {
    opened = await openWith({ streams: { s: {} }, ...config });
    return opened;
  }

  async function publish(...data: string[]): Promise<string[]> {
    return opened.gateway.publish(
      "s",
      data.map((text) => ({ data: text })),
    );
  }

  afterEach(() => opened.close());

  test("a subscriber gets its position, then published events in order", async () => {
    const { door } = await open();
    const reading = read(await door.request("/streams/s"));
    await reading.until(({ events }) => events.length === 1);
    const ids = await publish("a", "b");
    await publish("c\nd");
    await reading.until(({ events }) => events.length === 4);
    expect(reading.response.headers.get("content-type")).toBe("text/event-stream");
    expect(reading.response.headers.get("cache-control")).toBe("no-cache, no-transform");
    expect(reading.response.headers.get("x-accel-buffering")).toBe("no");
    expect(reading.response.headers.get("spillway-resume")).toBe("live");
    expect(reading.response.headers.get("content-length")).toBeNull();
    expect(reading.events[0]).toMatchObject({ event: "connected", id: expect.stringMatching(/\.0$/) as string });
    expect(reading.controls("connected")[0]).toMatchObject({ stream: "s", cursor: reading.events[0]!.id });
    expect(reading.data()).toEqual(["a", "b", "c\nd"]);
    expect(reading.events.slice(1, 3).map(({ id }) => id)).toEqual(ids);
    await reading.cancel();
  });

  test("a resumed subscriber gets exactly the missed events, then live events", async () => {
    const { door } = await open();
    const [, second] = await publish("1", "2", "3", "4");
    for (const start of [
      { path: "/streams/s", headers: { "last-event-id": second! } },
      { path: `/streams/s?last-event-id=${second}`, headers: {} },
      { path: `/streams/s?after=${second}`, headers: {} },
      { path: "/streams/s?last=2", headers: {} },
    ]) {
      const reading = read(await door.request(start.path, { headers: start.headers }));
      await reading.until(() => reading.data().length === 2);
      expect(reading.data()).toEqual(["3", "4"]);
      expect(reading.response.headers.get("spillway-resume")).toBe("resumed");
      await reading.cancel();
    }
    for (const path of ["/streams/s?last=0", "/streams/s?after=now&last=2"]) {
      const empty = read(await door.request(path));
      await empty.until(({ events }) => events.length === 1);
      expect(empty.events[0]).toMatchObject({ event: "connected", id: empty.controls("connected")[0]!["head"] });
      await empty.cancel();
    }
    const reading = read(await door.request(`/streams/s?after=${second}`));
    await publish("5");
    await reading.until(() => reading.data().length === 3);
    expect(reading.data()).toEqual(["3", "4", "5"]);
    await reading.cancel();
  });

  test("a subscription can also start at the earliest event or at a time", async () => {
    const { door } = await open();
    await publish("1", "2");
    const { events } = (await (await door.request("/streams/s?after=earliest", json)).json()) as Page;
    await eventually(() => Date.now() > Date.parse(events[1]!.time));
    await publish("3");
    const page = (await (await door.request("/streams/s?after=earliest", json)).json()) as Page;
    expect(page.events.map(({ data }) => data)).toEqual(["1", "2", "3"]);
    const since = read(await door.request(`/streams/s?since=${encodeURIComponent(page.events[2]!.time)}`));
    await since.until(() => since.data().length === 1);
    expect(since.data()).toEqual(["3"]);
    await since.cancel();
  });

  test("each kind of gap is announced exactly once", async () => {
    const { door, gateway } = await open({ streams: { s: { retention: { events: 5 } } } });
    const ids = await publish(...Array.from({ length: 10 }, (_, i) => String(i + 1)));
    const epoch = ids[0]!.split(".")[0]!;
    const trimmed = async (): Promise<boolean> =>
      JSON.stringify(await gateway.status()).includes(`"earliest":"${epoch}.6"`);
    await eventually(trimmed, "retention");
    for (const { id, control, facts } of [
      { id: "not-an-id", control: "spillway.gap", facts: { reason: "unknown", lost: null } },
      { id: "zzzz.3", control: "spillway.reset", facts: { requested: "zzzz.3" } },
      { id: `${epoch}.99`, control: "spillway.reset", facts: {} },
      { id: `${epoch}.2`, control: "spillway.gap", facts: { reason: "trimmed", lost: 3 } },
    ]) {
      const headers = { "last-event-id": id };
      const reading = read(await door.request("/streams/s", { headers }));
      await reading.until(() => reading.data().length === 5);
      const types = reading.events.map(({ event }) => event);
      expect([id, types]).toEqual([id, ["connected", control, ...Array(5).fill("message")]]);
      // A client that is disconnected between the two reconnects with its old id, and gets the gap.
      expect(reading.events[0]!.id).toBeUndefined();
      expect(reading.controls(control)[0]).toMatchObject({ earliest: `${epoch}.6`, ...facts });
      expect(reading.data()).toEqual(["6", "7", "8", "9", "10"]);
      await reading.cancel();

      // The announcement has an id: who comes back with it is not told again.
      const again = read(await door.request("/streams/s", { headers: { "last-event-id": reading.events[1]!.id! } }));
      await again.until(() => again.data().length === 5);
      expect(again.events.filter(({ event }) => event.startsWith("spillway."))).toEqual([]);
      await again.cancel();

      const refused = await door.request("/streams/s?on-gap=fail", { headers });
      expect([id, refused.status]).toEqual([id, 410]);
      expect(refused.headers.get("content-type")).toBe("application/problem+json");
      expect(await refused.json()).toMatchObject({ code: "gap", earliest: `${epoch}.6` });

      const polled = await door.request(`/streams/s?after=${id}&limit=2`, json);
      const page = (await polled.json()) as Page;
      expect(page.gap).toMatchObject({ earliest: `${epoch}.6` });
      expect(page.events.map(({ data }) => data)).toEqual(["6", "7"]);
      const next = (await (await door.request(`/streams/s?after=${page.next}`, json)).json()) as Page;
      expect(next).toMatchObject({ gap: null });
      expect(next.events.map(({ data }) => data)).toEqual(["8", "9", "10"]);
    }
  });

  test("a filter selects channels and types, by query or by path", async () => {
    const { door, gateway } = await open();
    await gateway.publish("s", [
      { data: "1", channel: "a", event: "trade" },
      { data: "2", channel: "b", event: "trade" },
      { data: "3", channel: "a", event: "quote" },
      { data: "4", event: "trade" },
    ]);
    let n = 0;
    const seen = async (path: string, replayed: number): Promise<string[]> => {
      const reading = read(await door.request(path));
      await reading.until(() => reading.data().length >= replayed);
      const end = `end ${++n}`;
      await gateway.publish("s", [{ data: "not a" }, { data: end, channel: "a", event: "trade" }]);
      await reading.until(() => reading.data().at(-1) === end);
      await reading.cancel();
      return reading.data();
    };
    expect(await seen("/streams/s?after=earliest&channels=a", 2)).toEqual(["1", "3", "end 1"]);
    expect(await seen("/streams/s/a?after=earliest&events=trade", 2)).toEqual(["1", "end 1", "end 2"]);
    expect(await seen("/streams/s?channels=a,b&events=trade,quote&last=3", 3)).toEqual([
      "3",
      "end 1",
      "end 2",
      "end 3",
    ]);
  });

  test("a filtered subscriber gets one checkpoint when its replay has ended, before any heartbeat", async () => {
    const { door } = await open({ streams: { s: { heartbeat: { interval: "1h", event: "beat" } } } });
    const [, head] = await publish("not for a", "nor this");
    const reading = read(await door.request("/streams/s?after=earliest&channels=a"));
    await reading.until(({ events }) => events.at(-1)?.id === head);
    expect(reading.events.map(({ event }) => event)).toEqual(["connected", "spillway.heartbeat"]);
    expect(reading.controls("spillway.heartbeat")).toMatchObject([{ cursor: head }]);
    await reading.cancel();
  });

  test("an idle stream sends heartbeats, and they advance the cursor of a filtered subscriber", async () => {
    const { door } = await open({ streams: { s: { heartbeat: 50 } } });
    const reading = read(await door.request("/streams/s?channels=a"));
    await reading.until(({ comments }) => comments.length >= 1);
    const [id] = await publish("not for a");
    await reading.until(({ events }) => events.at(-1)?.id === id);
    expect(reading.events.at(-1)).toMatchObject({ event: "spillway.heartbeat" });
    expect(reading.data()).toEqual([]);
    await reading.cancel();
  });

  test("a stream can send its heartbeats as events, and set the reconnect delay", async () => {
    const { door } = await open({ streams: { s: { heartbeat: { interval: 50, event: "beat" }, retry: "2s" } } });
    const [everything, filtered] = await Promise.all(
      ["/streams/s", "/streams/s?channels=a"].map(async (path) => read(await door.request(path))),
    );
    const [id] = await publish("not for a");
    await filtered!.until(({ events }) => events.at(-1)?.id === id);
    await everything!.until(({ events }) => events.length >= 3 && events.at(-1)!.event === "beat");
    for (const { events, comments, retries, controls } of [everything!, filtered!]) {
      expect(JSON.parse(events.at(-1)!.data)).toEqual({ time: expect.stringMatching(/^\d{4}-.*Z$/) as string });
      expect([comments, retries, controls("spillway.heartbeat")]).toEqual([[], [2000], []]);
      expect(controls("connected")).toMatchObject([{ retry: 2000 }]);
    }
    expect(filtered!.events.at(-1)).toMatchObject({ event: "beat" });
    expect(everything!.events.at(-1)!.id).toBeUndefined();
    await Promise.all([everything!.cancel(), filtered!.cancel()]);
  });

  test("NDJSON carries the same messages, one per line", async () => {
    const { door, gateway } = await open();
    await gateway.publish("s", { data: "x", event: "trade", channel: "a" });
    const response = await door.request("/streams/s?after=zzz.1", { headers: { accept: "application/x-ndjson" } });
    expect(response.headers.get("content-type")).toBe("application/x-ndjson");
    const lines = await firstLines(response, 3);
    expect(lines[0]).toMatchObject({ event: "connected", id: null });
    expect(lines[1]).toMatchObject({ event: "spillway.reset", id: expect.stringMatching(/\.0$/) as string });
    expect(lines[2]).toMatchObject({ event: "trade", data: "x", channel: "a", upstreamId: null });
    const live = await door.request("/streams/s", { headers: { accept: "application/x-ndjson" } });
    const [connected] = await firstLines(live, 1);
    const { cursor } = JSON.parse((connected as { data: string }).data) as { cursor: string };
    expect(connected).toMatchObject({ event: "connected", id: cursor });
    const path = "/streams/s?after=earliest&channels=b";
    const filtered = await door.request(path, { headers: { accept: "application/x-ndjson" } });
    const [, checkpoint] = await firstLines(filtered, 2);
    const data = expect.stringContaining(`"cursor":"${cursor}"`) as string;
    expect(checkpoint).toMatchObject({ event: "spillway.heartbeat", id: cursor, data });
  });

  test("a long poll waits until there is an event", async () => {
    const { door } = await open();
    const empty = (await (await door.request("/streams/s", json)).json()) as Page;
    expect(empty).toMatchObject({ events: [], gap: null });
    const held = door.request(`/streams/s?after=${empty.next}&wait=30`, json);
    const [id] = await publish("x");
    const page = (await (await held).json()) as Page;
    expect(page.events).toEqual([
      { id, event: "message", data: "x", channel: null, upstreamId: null, time: expect.any(String) as string },
    ]);
    expect(page.next).toBe(id);
  });

  test("events are published as JSON, NDJSON and event streams, and answered with their ids", async () => {
    const { door } = await open();
    const bodies = [
      { type: "application/json", body: '{"data":"1","event":"e","channel":"c","id":"u1"}' },
      { type: "application/json", body: '[{"data":{"n":2}},{"data":"3"}]' },
      { type: "application/x-ndjson", body: '{"data":"4"}\n\n{"data":"5"}\n' },
      { type: "text/event-stream", body: "event: e\nid: u6\ndata: 6\n\ndata: 7a\ndata: 7b" },
    ];
    const ids: string[] = [];
    for (const { type, body } of bodies) {
      const response = await door.request("/streams/s/events", {
        method: "POST",
        headers: { "content-type": type },
        body,
      });
      expect(response.status).toBe(200);
      ids.push(...((await response.json()) as { ids: string[] }).ids);
    }
    const page = (await (await door.request("/streams/s?after=earliest", json)).json()) as Page;
    expect(page.events.map(({ id }) => id)).toEqual(ids);
    expect(page.events.map(({ data }) => data)).toEqual(["1", '{"n":2}', "3", "4", "5", "6", "7a\n7b"]);
    expect(page.events[0]).toMatchObject({ event: "e", channel: "c", upstreamId: "u1" });
    expect(page.events[5]).toMatchObject({ event: "e", upstreamId: "u6" });
  });

  test("a repeated publish with an Idempotency-Key appends nothing", async () => {
    const { door } = await open();
    const send = (body: string): Promise<Response> =>
      door.request("/streams/s/events", {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": "k1" },
        body,
      });
    const first = (await (await send('{"data":"1"}')).json()) as object;
    const second = await send('{"data":"1"}');
    expect(await second.json()).toEqual(first);
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    const other = await send('{"data":"2"}');
    expect(other.status).toBe(422);
    expect(await other.json()).toMatchObject({ code: "idempotency-conflict" });
    const page = (await (await door.request("/streams/s?after=earliest", json)).json()) as Page;
    expect(page.events).toHaveLength(1);
  });

  test("an event for one connection must match the definition of its stream", async () => {
    const { door } = await open({ streams: { s: { definition: module } } });
    const reading = read(await door.request("/streams/s"));
    await reading.until(({ events }) => events.length === 1);
    const { client } = reading.controls("connected")[0]!;
    const send = async (event: string, data: unknown): Promise<unknown> => {
      const response = await door.request(`/admin/subscribers/${client as string}/events`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ event, data }),
      });
      return { status: response.status, ...((await response.json()) as object) };
    };
    // With workers, the client is connected to one of them, and they answer in turn.
    for (let times = 0; times < 2; times++) {
      const issues = [{ field: "[0].data", message: "a number" }];
      expect(await send("price", "x")).toMatchObject({ status: 422, code: "event-invalid", issues });
      expect(await send("other", 1)).toMatchObject({ status: 422, code: "event-invalid", field: "[0].event" });
      expect(await send("price", times)).toEqual({ status: 200, delivered: true });
    }
    await reading.until(() => reading.data().length === 2);
    expect(reading.data()).toEqual(["0", "1"]);
    await reading.cancel();
  });

  test("an invalid request gets a problem that names the field, and changes nothing", async () => {
    const { door } = await open({ limits: { body: 100 } });
    const post = (body: string, headers: Record<string, string> = {}): Promise<Response> =>
      door.request("/streams/s/events", {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body,
      });
    const cases: Array<[Promise<Response>, number, string, string | undefined]> = [
      [door.request("/streams/none"), 404, "stream-unknown", "stream"],
      [door.request("/none"), 404, "not-found", undefined],
      [door.request("/streams/s?last=x"), 400, "request-invalid", "last"],
      [door.request("/streams/s?since=yesterday"), 400, "request-invalid", "since"],
      [door.request("/streams/s?channels=a,,b"), 400, "request-invalid", "channels"],
      [door.request("/streams/s?channel=a"), 400, "request-invalid", "channel"],
      [door.request("/streams/s?events="), 400, "request-invalid", "events"],
      [door.request("/streams/s?on-gap=maybe"), 400, "request-invalid", "on-gap"],
      [door.request("/streams/s?limit=0", json), 400, "request-invalid", "limit"],
      [door.request("/streams/s?wait=-1", json), 400, "request-invalid", "wait"],
      [door.request("/streams/%E0%A4%A"), 400, "request-invalid", "path"],
      [door.request("/streams/s", { headers: { accept: "image/png" } }), 406, "not-acceptable", "Accept"],
      [door.request("/streams/s", { method: "DELETE" }), 405, "method-not-allowed", undefined],
      [post("{"), 400, "request-invalid", "body"],
      [post("[]"), 400, "request-invalid", "body"],
      [post('[[{"toString":false}]]'), 400, "request-invalid", "[0]"],
      [post('[{"data":"x"},{"data":"y","colour":1}]'), 400, "request-invalid", "[1].colour"],
      [post('{"event":"e"}'), 400, "request-invalid", "body.data"],
      [post('{"data":"x","event":"spillway.gap"}'), 400, "request-invalid", "body.event"],
      [post('{"data":"x","event":"a\\nb"}'), 400, "request-invalid", "body.event"],
      [post('{"data":"x","id":"a\\u0000"}'), 400, "request-invalid", "body.id"],
      [post('{"data":"x"}', { "idempotency-key": "a b" }), 400, "request-invalid", "Idempotency-Key"],
      [post('{"data":"x"}', { "content-type": "text/plain" }), 415, "media-type-unsupported", "Content-Type"],
      [post(JSON.stringify({ data: "x".repeat(100) })), 413, "body-too-large", undefined],
    ];
    for (const [pending, status, code, field] of cases) {
      const response = await pending;
      const body = (await response.json()) as Record<string, unknown>;
      expect({ status: response.status, code: body["code"], field: body["field"] }).toEqual({ status, code, field });
      expect(response.headers.get("content-type")).toBe("application/problem+json");
    }
    const page = (await (await door.request("/streams/s?after=earliest", json)).json()) as Page;
    expect(page.events).toEqual([]);
  });

  test("a request with more events than limits.events is refused in all three forms, and appends nothing", async () => {
    const { door } = await open({ limits: { events: 3 } });
    const publishAs = (type: string, body: string): Promise<Response> =>
      door.request("/streams/s/events", { method: "POST", headers: { "content-type": type }, body });
    const forms = [
      ["application/json", (count: number) => JSON.stringify(Array.from({ length: count }, () => ({ data: "x" })))],
      // Reading ends at the limit: what follows is not looked at.
      ["application/x-ndjson", (count: number) => '{"data":"x"}\n\n'.repeat(count) + (count > 3 ? "{" : "")],
      ["text/event-stream", (count: number) => "data:x\n\n".repeat(count)],
    ] as const;
    for (const [type, bodyOf] of forms) {
      const response = await publishAs(type, bodyOf(4));
      expect(response.status).toBe(413);
      expect(await response.json()).toMatchObject({
        code: "too-many-events",
        field: "body",
        expected: "at most 3 events",
      });
    }
    const before = (await (await door.request("/streams/s?after=earliest", json)).json()) as Page;
    expect(before.events).toEqual([]);
    for (const [type, bodyOf] of forms) expect((await publishAs(type, bodyOf(3))).status).toBe(200);
  });

  test("HEAD is answered without a body, OPTIONS with the allowed methods", async () => {
    const { door } = await open();
    const head = await door.request("/streams/s", { method: "HEAD" });
    expect(head.headers.get("content-type")).toBe("text/event-stream");
    expect(await head.text()).toBe("");
    const options = await door.request("/streams/s", { method: "OPTIONS" });
    expect(options.status).toBe(204);
    expect(options.headers.get("allow")).toBe("GET, HEAD, OPTIONS");
  });

  test("clients get the upstream's own ids and can resume with them", async () => {
    const { door, gateway } = await open({ streams: { s: { ids: "upstream" } } });
    await gateway.publish("s", [
      { data: "1", id: "u-1" },
      { data: "2", id: "ü 2" },
      { data: "3", id: "u-3" },
    ]);
    const latin1 = Buffer.from("ü 2").toString("latin1");
    const reading = read(await door.request("/streams/s", { headers: { "last-event-id": latin1 } }));
    await reading.until(() => reading.data().length === 1);
    expect(reading.events[1]).toMatchObject({ data: "3", id: "u-3" });
    await reading.cancel();
    const lost = read(await door.request("/streams/s?last-event-id=u-0"));
    await lost.until(() => lost.data().length === 3);
    expect(lost.controls("spillway.gap")).toMatchObject([{ reason: "unknown", requested: "u-0" }]);
    await lost.cancel();
  });

  test("a gateway that stops sends a goodbye with the reconnect delay", async () => {
    const { door, gateway } = await open();
    const reading = read(await door.request("/streams/s"));
    await reading.until(({ events }) => events.length === 1);
    await gateway.close();
    await reading.until(({ ended }) => ended);
    expect(reading.controls("spillway.bye")).toEqual([{ reason: "drain", retry: expect.any(Number) as number }]);
    // Who has a server of its own has closed it now.
    if (door.listens) return;
    const late = await door.request("/streams/s");
    expect(late.status).toBe(503);
    expect(late.headers.get("retry-after")).toMatch(/^\d+$/);
    expect((await door.request("/readyz")).status).toBe(503);
    expect((await door.request("/healthz")).status).toBe(200);
  });
});

const json = { headers: { accept: "application/json" } };

interface Page {
  readonly events: Array<{ id: string; data: string; time: string }>;
  readonly next: string;
  readonly gap: object | null;
}

async function firstLines(response: Response, count: number): Promise<object[]> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk, { stream: true });
    if (text.split("\n").length > count) break;
  }
  return text
    .split("\n")
    .slice(0, count)
    .map((line) => JSON.parse(line) as object);
}
