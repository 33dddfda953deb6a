import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createGateway, type Gateway } from "spillway";
import { formatCursor, parseCursor } from "../../src/log/cursor.ts";
import { budget, time } from "./budget.ts";

const channels = ["a", "b", "ab", "user:1", "user:2", undefined] as const;
const types = ["message", "trade", "trade.eu", "quote"] as const;

/** The content of the streams: each channel with each type, in turn. */
const events = channels.flatMap((channel) => types.map((event) => ({ data: `${channel} ${event}`, event, channel })));

let gateway: Gateway;
let ids: readonly string[];

beforeAll(async () => {
  const retention = { events: events.length };
  gateway = await createGateway({
    store: "memory:",
    access: { anonymous: ["subscribe", "publish"] },
    streams: { s: { retention }, u: { ids: "upstream", retention } },
    // The properties themselves keep the event loop busy for seconds.
    limits: { lag: "none" },
  });
  ids = await gateway.publish("s", events);
  await gateway.publish(
    "u",
    events.map((event, i) => ({ ...event, id: `u-${i}` })),
  );
});

afterAll(() => gateway.close());

test(
  "a cursor is parsed as it was formatted, and a parsed cursor is formatted the same",
  () => {
    const epoch = fc.stringMatching(/^[0-9a-z]{1,16}$/);
    fc.assert(
      fc.property(epoch, fc.maxSafeNat(), (name, seq) => {
        expect(parseCursor(formatCursor(name, seq))).toEqual({ epoch: name, seq });
      }),
      budget(500, 0.1),
    );
    const near = fc.oneof(
      fc
        .tuple(epoch, fc.constantFrom(".", "..", "", ". ", ".-", ".+", ".0"), fc.bigInt({ min: 0n }))
        .map((all) => all.join("")),
      fc.string({ unit: "binary", maxLength: 30 }),
    );
    fc.assert(
      fc.property(near, (text) => {
        const cursor = parseCursor(text);
        if (cursor) expect(formatCursor(cursor.epoch, cursor.seq)).toBe(text);
      }),
      budget(1000, 0.1),
    );
  },
  time,
);

async function poll(
  query: URLSearchParams,
  path = "/streams/s",
): Promise<{ status: number; body: Record<string, unknown> }> {
  const request = new Request(`http://x${path}?${query}`, { headers: { accept: "application/json" } });
  const response = await gateway.fetch(request);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** Whether a name matches a list, in which `*` matches anything. */
function among(names: readonly string[] | undefined, name: string | undefined): boolean {
  if (!names) return true;
  if (name === undefined) return false;
  const escaped = names.map((one) =>
    one
      .split("*")
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      .join(".*"),
  );
  return escaped.some((one) => new RegExp(`^${one}$`).test(name));
}

test(
  "a filter matches exactly what it names, in every notation",
  async () => {
    const list = (names: readonly string[]): fc.Arbitrary<string[] | undefined> =>
      fc.option(fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 4 }), { nil: undefined });
    const filter = fc.record({
      channels: list(["a", "b", "a*", "*b", "user:*", "u*:*1", "*", "none"]),
      events: list(["message", "trade", "trade*", "*.eu", "quote", "*o*e", "none"]),
      repeated: fc.boolean(),
      from: fc.nat(events.length),
    });
    await fc.assert(
      fc.asyncProperty(filter, async ({ from, repeated, ...asked }) => {
        const query = new URLSearchParams({ after: from === 0 ? "earliest" : ids[from - 1]! });
        for (const [field, names] of Object.entries(asked)) {
          for (const value of repeated ? (names ?? []) : names ? [names.join()] : []) query.append(field, value);
        }
        const { status, body } = await poll(query);
        const passing = events
          .slice(from)
          .filter(({ channel, event }) => among(asked.channels, channel) && among(asked.events, event));
        expect(status).toBe(200);
        expect((body["events"] as Array<{ data: string }>).map(({ data }) => data)).toEqual(
          passing.map(({ data }) => data),
        );
      }),
      budget(300, 0.4),
    );
  },
  time,
);

test(
  "no query and no header causes a server error or a response without an end",
  async () => {
    const text = fc.oneof(
      fc.constantFrom(
        "",
        "earliest",
        "now",
        "0",
        "$",
        "-1",
        "1e9",
        "999999999",
        "99999999999",
        "true",
        "fail",
        "announce",
      ),
      fc.constantFrom(
        "a",
        "a,b",
        ",",
        "*",
        "****",
        "all",
        "user:*",
        "u-1",
        "zzz.1",
        "2026-01-31T09:00:00Z",
        "2026-01-31 09:00:00+01:00",
      ),
      fc.constantFrom(...Array.from({ length: 4 }, (_, i) => i)).map((i) => ids[i]!),
      fc.string({ unit: "binary", maxLength: 12 }),
      fc.string({ unit: fc.constantFrom("9", ".", "a", "*", ","), maxLength: 300 }),
    );
    const parameter = fc.constantFrom(
      ..."after last since last-event-id last-id channels events limit on-gap channel event ticket x __proto__".split(
        " ",
      ),
    );
    const segment = fc.oneof(
      fc.constantFrom("", "/", "/a", "/a,b", "/user:*", "/%00", "/%ff", "/a/b"),
      text.map((name) => `/${encodeURIComponent(name)}`),
    );
    const header = fc.tuple(
      fc.constantFrom("accept", "last-event-id", "origin", "cookie", "authorization", "x-api-key", "x-forwarded-for"),
      fc.oneof(
        fc.constantFrom(
          "text/event-stream",
          "application/x-ndjson",
          "application/json",
          "*/*;q=0.1, text/*;q=0",
          ";;q",
          "image/png",
        ),
        text.filter((value) => /^[\u0020-\u007e\u0080-\u00ff]*$/.test(value)),
      ),
    );
    const request = fc.record({
      stream: fc.constantFrom("/streams/s", "/streams/u", "/streams/none", "/streams/%73"),
      segment,
      query: fc.array(fc.tuple(parameter, text), { maxLength: 5 }),
      raw: fc.option(fc.string({ unit: fc.constantFrom("%", "&", "=", "a", "+", "#", "?"), maxLength: 8 }), {
        nil: "",
      }),
      headers: fc.array(header, { maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(request, async (asked) => {
        const url = `http://x${asked.stream}${asked.segment}?${new URLSearchParams(asked.query)}&${asked.raw}`;
        const gone = new AbortController();
        const response = await gateway.fetch(new Request(url, { headers: asked.headers, signal: gone.signal }));
        expect([200, 400, 401, 403, 404, 405, 406, 410]).toContain(response.status);
        if (response.status === 200) {
          const { value } = await response.body!.getReader().read();
          expect(value?.length).toBeGreaterThan(0);
        } else
          expect(await response.json()).toMatchObject({ status: response.status, code: expect.any(String) as string });
        gone.abort();
      }),
      budget(500, 0.4),
    );
  },
  time,
);
