import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createGateway, type Gateway } from "spillway";
import { budget, time } from "./budget.ts";

let gateway: Gateway;

beforeAll(async () => {
  gateway = await createGateway({
    store: "memory:",
    access: { anonymous: ["subscribe", "publish"] },
    streams: { s: { retention: { events: 1000 } } },
    limits: { body: 4000, events: 20 },
  });
});

afterAll(() => gateway.close());

/** An event as a publisher writes it. */
interface Published {
  readonly data: string;
  readonly event?: string;
  readonly channel?: string;
  readonly id?: string;
}

async function publish(type: string, body: string): Promise<{ status: number; answer: Record<string, unknown> }> {
  const headers = { "content-type": type };
  const response = await gateway.fetch(new Request("http://x/streams/s/events", { method: "POST", headers, body }));
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
}

/** The events of the stream after a position; without one, the position of its end. */
async function behind(after?: string): Promise<{ events: Array<Record<string, unknown>>; next: string }> {
  const path = after === undefined ? "/streams/s" : `/streams/s?after=${after}`;
  const response = await gateway.fetch(new Request(`http://x${path}`, { headers: { accept: "application/json" } }));
  return (await response.json()) as { events: Array<Record<string, unknown>>; next: string };
}

const types = ["application/json", "application/x-ndjson", "text/event-stream"] as const;

const anyName = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
  .filter((text) => !/[\u0000-\u001f\u007f,*]/.test(text) && !text.startsWith("spillway.") && text !== "all");
const anyId = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
  // Only the gateway assigns cursors.
  .filter((text) => !/[\0\r\n]/.test(text) && !/^[0-9a-z]{1,16}\.\d+$/.test(text));
const anyData = fc.string({
  unit: fc.oneof(fc.constantFrom("\n", ":", " ", "data: "), fc.string({ unit: "grapheme", maxLength: 2 })),
  maxLength: 20,
});
const anyEvent: fc.Arbitrary<Published> = fc.record(
  { data: anyData, event: anyName, channel: anyName, id: anyId },
  { requiredKeys: ["data"] },
);

/** What each media type can represent: an event stream has no channels, and only one line ending. */
function fit(type: (typeof types)[number], { channel, ...event }: Published): Published {
  if (type !== "text/event-stream") return channel === undefined ? event : { ...event, channel };
  return { ...event, data: event.data.replaceAll(/\r\n?/g, "\n") };
}

function write(type: (typeof types)[number], events: readonly Published[]): string {
  if (type === "application/json") return JSON.stringify(events);
  if (type === "application/x-ndjson") return events.map((one) => JSON.stringify(one)).join("\n\n");
  return events.map(toBlock).join("\n\n");
}

function toBlock({ data, event, id }: Published): string {
  const lines = data.split("\n").map((line) => `data: ${line}`);
  if (event !== undefined) lines.push(`event: ${event}`);
  if (id !== undefined) lines.push(`id: ${id}`);
  return lines.join("\n");
}

test(
  "events are delivered as they were published, in every format",
  async () => {
    const published = fc.tuple(fc.constantFrom(...types), fc.array(anyEvent, { minLength: 1, maxLength: 8 }));
    await fc.assert(
      fc.asyncProperty(published, async ([type, given]) => {
        const events = given.map((one) => fit(type, one));
        const { next } = await behind();
        const { status, answer } = await publish(type, write(type, events));
        expect({ status, answer }).toMatchObject({ status: 200 });
        const held = (await behind(next)).events;
        expect(held.map((one) => one["id"])).toEqual(answer["ids"]);
        expect(held).toMatchObject(
          events.map((one) => ({
            data: one.data,
            event: one.event ?? "message",
            channel: one.channel ?? null,
            upstreamId: one.id ?? null,
          })),
        );
      }),
      budget(200, 0.5),
    );
  },
  time,
);

test(
  "a body is published completely or not at all, and never causes a server error",
  async () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.record(
        { data: fc.jsonValue(), event: fc.anything(), channel: fc.anything(), id: fc.anything(), other: fc.anything() },
        { requiredKeys: [] },
      ),
    );
    const json = fc.array(value, { maxLength: 25 }).map((values) => {
      try {
        return values.length === 1 ? JSON.stringify(values[0]) : JSON.stringify(values);
      } catch {
        return "[";
      }
    });
    const lines = fc
      .array(fc.oneof(json, fc.string({ unit: "binary" })), { maxLength: 25 })
      .map((all) => all.join("\n"));
    const stream = fc
      .array(
        fc.tuple(
          fc.constantFrom("data", "event", "id", "retry", "", "x"),
          fc.constantFrom(": ", ":", ""),
          fc.oneof(fc.string({ unit: "binary", maxLength: 8 }), fc.constantFrom("spillway.gap", "a,b", "zz.1")),
          fc.constantFrom("\n", "\n\n", "\r", "\r\n\r\n"),
        ),
        { maxLength: 40 },
      )
      .map((parts) => parts.flat().join(""));
    const whole = fc.oneof(
      json,
      lines,
      stream,
      fc.string({ unit: "binary" }),
      fc.string({ minLength: 3990, maxLength: 4010 }),
    );
    const body = fc
      .tuple(whole, fc.option(fc.nat(), { freq: 4 }))
      .map(([text, cut]) => (cut === null ? text : text.slice(0, cut)));
    const type = fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom(...types, "application/ndjson", "Application/JSON; charset=utf-8") },
      fc.constantFrom("text/plain", ";", "multipart/form-data"),
    );
    await fc.assert(
      fc.asyncProperty(type, body, async (contentType, text) => {
        const { next } = await behind();
        const { status, answer } = await publish(contentType, text);
        const { events } = await behind(next);
        const ids = status === 200 ? answer["ids"] : [];
        expect([200, 400, 413, 415]).toContain(status);
        expect(events.map((one) => one["id"])).toEqual(ids);
      }),
      budget(500, 0.5),
    );
  },
  time,
);
