import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { GrantConfig } from "spillway";
import { bearer, jwtSecret, makeKey, makeToken } from "../../support/credentials.ts";
import { doors, type Door } from "../../support/doors.ts";
import { openGateway, stores, type Opened } from "../../support/gateways.ts";
import { read } from "../../support/reader.ts";

/** An event as it is published; its data is its number. */
interface TestEvent {
  readonly event?: string;
  readonly channel?: string;
}

/** The granted or requested names; absent for all. */
interface Scope {
  readonly channels?: readonly string[];
  readonly events?: readonly string[];
  /** For a grant: include events without a channel. */
  readonly broadcast?: boolean;
}

const admin = makeKey("admin", { can: ["admin", "publish"] });

let opened: Opened;
let door: Door;

async function open(store: (typeof stores)[number], kind: (typeof doors)[number]): Promise<void> {
  const access = { jwt: { secret: jwtSecret }, keys: [admin.config] };
  // With each heartbeat a client hears of a place up to which nothing is left for it.
  opened = await openGateway(store, kind, { streams: { s: { heartbeat: "20ms" }, other: {} }, access });
  ({ door } = opened);
}

const grantTo = (scope: GrantConfig): { readonly authorization: string } =>
  bearer(makeToken({ spillway: { can: ["subscribe", "publish"], ...scope } }));

async function publish(events: readonly TestEvent[]): Promise<{ readonly before: string; readonly last: string }> {
  const ids = await opened.gateway.publish(
    "s",
    events.map((event, n) => ({ ...event, data: String(n) })),
  );
  const [epoch, first] = ids[0]!.split(".");
  return { before: `${epoch}.${Number(first) - 1}`, last: ids.at(-1)! };
}

/** The data of all events up to an id, read out of an open response. */
async function dataUpTo(response: Response, last: string): Promise<string[]> {
  const type = response.headers.get("content-type");
  if (type === "application/x-ndjson") return linesUpTo(response, last);
  const reading = read(response);
  await reading.until(({ ids, events }) => ids.includes(last) || events.some(({ id }) => id === last));
  await reading.cancel();
  return reading.data();
}

async function linesUpTo(response: Response, last: string): Promise<string[]> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const data: string[] = [];
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`ended after ${text}`);
    const lines = (text + value).split("\n");
    text = lines.pop()!;
    for (const line of lines) {
      const message = JSON.parse(line) as { id: string; event: string; data: string };
      if (message.event !== "connected" && !message.event.startsWith("spillway.")) data.push(message.data);
      if (message.id !== last) continue;
      await reader.cancel();
      return data;
    }
  }
}

type Ask = (query: string, accept: string) => Promise<Response>;

/** The ways in which a client can get events; each returns their data, or the status of a refusal. */
const ways: ReadonlyArray<{
  readonly title: string;
  get(ask: Ask, events: readonly TestEvent[]): Promise<readonly string[] | number>;
}> = [
  ...(["text/event-stream", "application/x-ndjson"] as const).flatMap((accept) => [
    {
      title: `live as ${accept}`,
      async get(ask: Ask, events: readonly TestEvent[]) {
        const response = await ask("", accept);
        const { last } = await publish(events);
        return response.status === 200 ? dataUpTo(response, last) : response.status;
      },
    },
    {
      title: `replay as ${accept}`,
      async get(ask: Ask, events: readonly TestEvent[]) {
        const { before, last } = await publish(events);
        const response = await ask(`after=${before}`, accept);
        return response.status === 200 ? dataUpTo(response, last) : response.status;
      },
    },
  ]),
  {
    title: "long poll",
    async get(ask, events) {
      const { before } = await publish(events);
      const response = await ask(`after=${before}`, "application/json");
      return response.status === 200 ? pageOf(response) : response.status;
    },
  },
];

async function pageOf(response: Response): Promise<string[]> {
  return ((await response.json()) as { events: Array<{ data: string }> }).events.map(({ data }) => data);
}

const asker =
  (grant: Scope, asked: Scope): Ask =>
  (query, accept) => {
    const wanted = Object.entries(asked).map(([name, names]) => `${name}=${(names as string[]).join(",")}`);
    return door.request(`/streams/s?${[query, ...wanted].filter(Boolean).join("&")}`, {
      headers: { ...grantTo(grant), accept },
    });
  };

/** The model: a pattern is a text with gaps. */
function fits(pattern: string, name: string): boolean {
  const escaped = pattern.split("*").map((text) => text.replaceAll(/[^\w]/g, String.raw`\$&`));
  return new RegExp(`^${escaped.join(".*")}$`, "s").test(name);
}

function isWithin(patterns: readonly string[] | undefined, name: string | undefined): boolean {
  return patterns === undefined || (name !== undefined && patterns.some((pattern) => fits(pattern, name)));
}

/** The expected result: 403 if a name is requested that is not granted, otherwise what is both granted and requested. */
function modelOf(grant: Scope, asked: Scope, events: readonly TestEvent[]): readonly string[] | number {
  const all = (names: readonly string[] | undefined, granted: readonly string[] | undefined): boolean =>
    (names ?? []).every((name) => isWithin(granted, name));
  if (!all(asked.channels, grant.channels) || !all(asked.events, grant.events)) return 403;
  const isBoth = ({ event = "message", channel }: TestEvent): boolean =>
    [grant, asked].every(
      (scope) =>
        (isWithin(scope.channels, channel) || (channel === undefined && scope.broadcast)) &&
        isWithin(scope.events, event),
    );
  return events.flatMap((event, n) => (isBoth(event) ? [String(n)] : []));
}

const channelNames = ["a", "b", "user:ada", "user:ben", "x.y", "ä"];
const typeNames = ["message", "trade", "trades", "quote"];
const channelPatterns = [...channelNames, "user:*", "*", "*a*", "x*y", "?", "."];
const typePatterns = [...typeNames, "trade*", "*", "m*e"];

const list = (names: readonly string[], minLength: number): fc.Arbitrary<string[]> =>
  fc.uniqueArray(fc.constantFrom(...names), { minLength, maxLength: 4 });
/** An empty list of names would be malformed. */
const askedScope = fc.record(
  { channels: list(channelPatterns, 1), events: list(typePatterns, 1) },
  { requiredKeys: [] },
);
const grantedScope: fc.Arbitrary<Scope> = fc.record(
  { channels: list(channelPatterns, 0), events: list(typePatterns, 0), broadcast: fc.boolean() },
  { requiredKeys: [] },
);
const anyEvents = fc.array(
  fc.record({ event: fc.constantFrom(...typeNames), channel: fc.constantFrom(...channelNames) }, { requiredKeys: [] }),
  { minLength: 1, maxLength: 20 },
);

const combinations = [
  ...stores.map((store) => ({ title: `http/1.1 over ${store}`, store, kind: doors[0]! })),
  { title: "fetch over memory", store: "memory" as const, kind: doors.at(-1)! },
];

describe.each(combinations)("$title", ({ store, kind }) => {
  beforeAll(() => open(store, kind));
  afterAll(() => opened.close());

  describe.each(ways)("$title", ({ get }) => {
    test("delivers exactly what is both granted and requested", async () => {
      const cases = fc.tuple(grantedScope, askedScope, anyEvents);
      await fc.assert(
        fc.asyncProperty(cases, async ([grant, asked, events]) => {
          expect(await get(asker(grant, asked), events)).toEqual(modelOf(grant, asked, events));
        }),
        { numRuns: 25 },
      );
    });
  });

  test("`last` counts only granted events", async () => {
    await publish([{ channel: "user:ada" }, { channel: "b" }, { channel: "user:ada" }, { channel: "b" }, {}]);
    const ask = asker({ channels: ["user:*"] }, {});
    expect(await pageOf(await ask("last=2", "application/json"))).toEqual(["0", "2"]);
    expect(await pageOf(await ask("last=1", "application/json"))).toEqual(["2"]);
  });

  test("a long poll waits until a granted event arrives", async () => {
    const { last } = await publish([{}]);
    const ask = asker({ channels: ["user:*"], events: ["trade"] }, {});
    const answered = ask(`after=${last}&wait=50`, "application/json");
    const hidden = [{}, { channel: "b", event: "trade" }, { channel: "user:ada" }, { event: "trade" }];
    for (const event of hidden) await publish([event]);
    await publish([...hidden, { channel: "user:ada", event: "trade" }]);
    expect(await pageOf(await answered)).toEqual(["4"]);
  });

  test("a client that requests a channel or type that is not granted learns which one, whatever else is granted", async () => {
    const ask = asker({ channels: ["user:*"], events: ["trade"] }, {});
    for (const [query, field, got] of [
      ["channels=user:ada,btc", "channels", "btc"],
      ["events=trade,quote", "events", "quote"],
      ["events=message", "events", "message"],
      // A pattern must be granted as a whole.
      ["channels=*", "channels", "*"],
      ["channels=user:*,u*", "channels", "u*"],
      ["events=trade*", "events", "trade*"],
    ] as const) {
      const response = await ask(query, "text/event-stream");
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ code: "access-denied", field, got });
    }
  });

  test("a filter that can match nothing, or is too expensive, is refused", async () => {
    const ask = asker({}, {});
    for (const [query, field] of [
      ["channels=all", "channels"],
      ["channels=a,all", "channels"],
      ["events=all", "events"],
      ["channels=a*b*c*d*e*f", "channels"],
      [`channels=${Array.from({ length: 9 }, (_, n) => `${n}*`).join(",")}`, "channels"],
      [`events=${Array.from({ length: 9 }, (_, n) => `*${n}`).join(",")}`, "events"],
    ] as const) {
      const response = await ask(query, "text/event-stream");
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ code: "request-invalid", field });
    }
    for (const path of ["/streams/s/all", "/streams/s/a,all"]) {
      expect((await door.request(path, { headers: grantTo({}) })).status).toBe(400);
    }
    const tickets = { method: "POST", headers: { ...grantTo({}), "content-type": "application/json" } };
    for (const channel of ["all", "a*b*c*d*e*f"]) {
      const body = JSON.stringify({ stream: "s", channels: [channel] });
      expect((await door.request("/tickets", { ...tickets, body })).status).toBe(400);
    }
  });

  test("lists and patterns work in the path as in the query", async () => {
    const { before } = await publish([
      { channel: "a" },
      { channel: "user:ada" },
      {},
      { channel: "user:ben" },
      { channel: "b" },
    ]);
    for (const [path, expected] of [
      ["a,b", ["0", "4"]],
      ["a%2Cb", ["0", "4"]],
      ["user:*", ["1", "3"]],
      ["b,user:*n", ["3", "4"]],
      ["*", ["0", "1", "3", "4"]],
    ] as const) {
      const headers = { ...grantTo({}), accept: "application/json" };
      expect(await pageOf(await door.request(`/streams/s/${path}?after=${before}`, { headers }))).toEqual(expected);
    }
  });

  test("a ticket delivers events without a channel if its holder is granted them", async () => {
    const headers = { ...grantTo({ channels: ["user:*"], broadcast: true }), "content-type": "application/json" };
    for (const channels of [undefined, ["user:ada"]]) {
      const made = await door.request("/tickets", {
        method: "POST",
        headers,
        body: JSON.stringify({ stream: "s", channels }),
      });
      const { ticket } = (await made.json()) as { ticket: string };
      const response = await door.request(`/streams/s?ticket=${ticket}`);
      const { last } = await publish([{ channel: "user:ada" }, { channel: "b" }, {}]);
      expect(await dataUpTo(response, last)).toEqual(["0", "2"]);
    }
  });

  test("publishing requires that every event's channel and type are granted, and otherwise appends none", async () => {
    await fc.assert(
      fc.asyncProperty(grantedScope, anyEvents, async (grant, events) => {
        const { last } = await publish([{}]);
        const response = await door.request("/streams/s/events", {
          method: "POST",
          headers: { ...grantTo(grant), "content-type": "application/json" },
          body: JSON.stringify(events.map((event, n) => ({ ...event, data: String(n) }))),
        });
        // Who gets events without a channel may not send any for that.
        const granted = modelOf({ ...grant, broadcast: false }, {}, events) as string[];
        const whole = granted.length === events.length;
        expect(response.status).toBe(whole ? 200 : 403);
        await response.text();
        expect(await pageOf(await asker({}, {})(`after=${last}`, "application/json"))).toEqual(whole ? granted : []);
      }),
      { numRuns: 40 },
    );
  });

  test("the list of streams and the status only show granted streams", async () => {
    const namesOf = async (path: string, streams?: string[]): Promise<string[]> => {
      const headers = bearer(makeToken({ spillway: { can: ["subscribe", "admin"], ...(streams && { streams }) } }));
      const { streams: shown } = (await (await door.request(path, { headers })).json()) as { streams: object };
      return Array.isArray(shown) ? shown.map(({ name }: { name: string }) => name) : Object.keys(shown);
    };
    for (const path of ["/streams", "/status"]) {
      expect(await namesOf(path)).toEqual(["s", "other"]);
      expect(await namesOf(path, ["o*"])).toEqual(["other"]);
      expect(await namesOf(path, [])).toEqual([]);
    }
  });
});
