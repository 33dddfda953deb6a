import { describe, expect, test } from "vitest";
import type { ScriptedResponse } from "../../support/numbered-upstream.js";
import { eventually } from "../../support/reader.ts";
import { probe, source, upTo } from "./support.ts";
import { patience } from "../../support/patience.ts";

describe("a stream", () => {
  test.each([
    ["an endless line", { flood: "data: and on and on" }],
    ["an endless event", { flood: "data: and on\n" }],
    ["an endless id", { body: "id: ", flood: "7" }],
    ["an id of 2 KiB", { body: `data: {"n":1}\nid: 1${"0".repeat(2_048)}\n\n` }],
    ["a type of 2 KiB", { body: `data: {"n":1}\nid: 1\nevent: ${"e".repeat(2_048)}\n\n` }],
    ["an endless comment", { body: ": ", flood: "7" }],
  ] satisfies [string, ScriptedResponse][])("with %s is ended in bounded memory", async (_what, response) => {
    const origin = await source();
    origin.control({ next: [response], emit: 3 });
    const { upstream, numbers, untilFailure, untilDelivered } = probe(origin.url, { maxEventBytes: 100_000 });
    upstream.start();
    expect(await untilFailure()).toBe("sse-event-too-large");
    await untilDelivered(3);
    expect(numbers()).toEqual(upTo(3));
    await eventually(() => origin.state().sockets === 1);
  });

  test("of garbage bytes gives no event and is retried", async () => {
    const origin = await source();
    const garbage = Array.from({ length: 5000 }, (_, n) => (n * 7919) % 251);
    origin.control({ next: [{ body: garbage }], emit: 3 });
    const { upstream, numbers, untilDelivered } = probe(origin.url);
    upstream.start();
    await untilDelivered(3);
    expect(numbers()).toEqual(upTo(3));
  });

  test("that breaks within an event discards that event", async () => {
    const origin = await source();
    const body = 'id: 1\ndata: {"n":1}\n\nid: 2\ndata: {"n":99}\n';
    origin.control({ next: [{ body, then: "reset" }], emit: 3 });
    const { upstream, numbers, untilDelivered } = probe(origin.url);
    upstream.start();
    await untilDelivered(3);
    expect(numbers()).toEqual(upTo(3));
    expect(upstream.status()).toMatchObject({ errors: 1, lastError: "upstream-ended" });
  });

  test.each([
    ["from the start", ""],
    ["after an event", 'id: 1\ndata: {"n":1}\n\n'],
  ])("that is silent %s is upstream-timeout", async (_when, body) => {
    const origin = await source();
    origin.control({ next: [{ body, then: "silence" }], emit: 3 });
    const { upstream, numbers, untilFailure, untilDelivered } = probe(origin.url, {
      timeouts: { connect: patience, headers: patience, idle: 100 },
    });
    upstream.start();
    expect(await untilFailure()).toBe("upstream-timeout");
    await untilDelivered(3);
    expect(numbers()).toEqual(upTo(3));
    await eventually(() => origin.state().sockets <= 1);
  });

  test("with only comments is alive", async () => {
    const origin = await source();
    const { upstream, untilState, lines } = probe(origin.url, {
      timeouts: { connect: patience, headers: patience, idle: 2000 },
    });
    upstream.start();
    await untilState("open");
    const started = performance.now();
    while (performance.now() - started < 3000) {
      origin.control({ comment: "still here" });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(upstream.status()).toMatchObject({ state: "open", errors: 0 });
    expect(lines.filter(({ level }) => level === "warn")).toEqual([]);
  });

  test("that closes as soon as it opens is not requested in a storm", async () => {
    const origin = await source();
    origin.control({ always: { body: "" } });
    const { upstream, lines, states } = probe(origin.url, { backoff: { min: 20, max: 40, healthy: 1000 } });
    upstream.start();
    await eventually(() => origin.state().connections.length >= 4);
    expect(states.slice(0, 4).map(({ state }) => state)).toEqual(["connecting", "open", "waiting", "connecting"]);
    const delays = lines.flatMap(({ fields }) => ("delay" in fields ? [fields["delay"]] : []));
    expect(delays.length).toBeGreaterThanOrEqual(3);
    for (const delay of delays) expect(delay).toBeGreaterThanOrEqual(20);
    expect(upstream.status()).toMatchObject({ errors: 0, lastError: "upstream-ended" });
  });
});
