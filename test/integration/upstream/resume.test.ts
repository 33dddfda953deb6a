import { describe, expect, test } from "vitest";
import { eventually } from "../../support/reader.ts";
import { createLoggedHistory } from "../../unit/upstream/logged-history.ts";
import { probe, source, upTo } from "./support.ts";

describe("an upstream that loses its connection", () => {
  test.each([
    { dropMode: "end" },
    { dropMode: "reset" },
    { dropMode: "half" },
    { dropMode: "end", resume: "inclusive" },
    { dropMode: "reset", resume: "earlier", earlier: 3 },
    { dropMode: "end", idEvery: 3, resume: "earlier", earlier: 4 },
    { dropMode: "half", idEvery: 3, resume: "inclusive" },
    { dropMode: "end", parameter: "last-id" },
  ] as const)("delivers every event once: %j", async (behaviour) => {
    const origin = await source({ ...behaviour, total: 40, dropEvery: 7 });
    const resume = "parameter" in behaviour ? ({ query: behaviour.parameter } as const) : "header";
    const { upstream, numbers, untilDelivered } = probe(origin.url, { resume });
    upstream.start();
    origin.control({ emit: 40 });
    await untilDelivered(40);
    expect(numbers()).toEqual(upTo(40));
    const { reconnects, received, repeated, state } = upstream.status();
    expect(state).toBe("open");
    expect(reconnects).toBe(origin.state().connections.length - 1);
    expect(received - repeated).toBe(40);
    expect(origin.state().maxOpen).toBe(1);
  });

  test("loses no event without an id if no id shows that the source replays, and warns about duplicates", async () => {
    const origin = await source({ total: 40, dropEvery: 7, idEvery: 3 });
    const { upstream, numbers, lines } = probe(origin.url);
    upstream.start();
    origin.control({ emit: 40 });
    await eventually(() => numbers().at(-1) === 40);
    const { reconnects, repeated } = upstream.status();
    expect([...new Set(numbers())]).toEqual(upTo(40));
    expect(repeated).toBe(0);
    const said = lines.filter(({ message }) => message.startsWith("the source has not shown that it replays"));
    expect(said.length).toBeGreaterThan(0);
    expect(said.length).toBeLessThanOrEqual(reconnects);
  });

  test("resumes with the id of a block that is not an event", async () => {
    const origin = await source();
    origin.control({ next: [{ body: 'id: 5\ndata: {"n":5}\n\nid: 9\n\n' }], emit: 9 });
    const { upstream, batches } = probe(origin.url);
    upstream.start();
    await eventually(() => origin.state().connections.length === 2);
    expect(origin.state().connections[1]!.headers["last-event-id"]).toBe("9");
    expect(batches.map(({ cursor }) => cursor)).toEqual(["9"]);
  });
});

describe("a request", () => {
  test("without a cursor contains no position", async () => {
    const origin = await source();
    const { upstream, untilState } = probe(origin.url, { resume: { query: "last-id" } });
    upstream.start();
    await untilState("open");
    const [first] = origin.state().connections;
    expect(first!.url).toBe("/events");
    expect(first!.headers).not.toHaveProperty("last-event-id");
  });

  test("has the durable cursor in the query and leaves the rest of the URL unchanged", async () => {
    const origin = await source();
    const history = createLoggedHistory();
    history.append({ events: [], cursor: "a b&ü", gap: false });
    const url = `${origin.url}?api-key=s%33cret,x&last-id=0&q=a+b`;
    const { upstream, untilState } = probe(url, { resume: { query: "last-id" } }, {}, history);
    upstream.start();
    await untilState("open");
    expect(origin.state().connections[0]!.url).toBe("/events?api-key=s%33cret,x&last-id=a%20b%26%C3%BC&q=a+b");
    expect(origin.state().connections[0]!.headers).not.toHaveProperty("last-event-id");
  });

  test("has a non-ASCII cursor as its UTF-8 bytes", async () => {
    const origin = await source();
    origin.control({ next: [{ body: 'id: Grüße-€\ndata: {"n":1}\n\n' }] });
    const { upstream } = probe(origin.url);
    upstream.start();
    await eventually(() => origin.state().connections.length === 2);
    const value = origin.state().connections[1]!.headers["last-event-id"] as string;
    expect(Buffer.from(value, "latin1").toString("utf8")).toBe("Grüße-€");
  });

  test("without the cursor, if no header can carry it, starts with a gap", async () => {
    const origin = await source();
    origin.control({ next: [{ body: 'id: \x07\ndata: {"n":1}\n\n' }] });
    const { upstream, batches } = probe(origin.url);
    upstream.start();
    await eventually(() => batches.length === 2);
    expect(origin.state().connections[1]!.headers).not.toHaveProperty("last-event-id");
    expect(batches[1]).toEqual({ events: [], cursor: undefined, gap: true });
  });
});
