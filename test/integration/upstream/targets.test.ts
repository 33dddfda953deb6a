import { describe, expect, test } from "vitest";
import type { NumberedUpstream } from "../../support/numbered-upstream.js";
import { eventually } from "../../support/reader.ts";
import { probe, source, upTo } from "./support.ts";

const named = (sources: readonly NumberedUpstream[]): { url: string; name: string }[] =>
  sources.map(({ url }, n) => ({ url, name: "abc"[n]! }));

/** Sources of the same numbered stream. */
async function replicas(count: number): Promise<NumberedUpstream[]> {
  return Promise.all(Array.from({ length: count }, () => source()));
}

const emit = (sources: readonly NumberedUpstream[], count: number): void => {
  for (const one of sources) one.control({ emit: count });
};

describe("with several targets", () => {
  test("a failing one is replaced by the next at once, and the stream continues where it was", async () => {
    const sources = await replicas(2);
    const [first, second] = sources as [NumberedUpstream, NumberedUpstream];
    const backoff = { min: 5, max: 60_000, healthy: 60_000 };
    const { upstream, lines, numbers, untilDelivered } = probe("", { targets: named(sources), backoff });
    upstream.start();
    emit(sources, 3);
    await untilDelivered(3);
    expect(upstream.status().target).toBe("a");
    emit([second], 3);
    await first.close();
    await untilDelivered(6);
    expect(numbers()).toEqual(upTo(6));
    expect(upstream.status().target).toBe("b");
    expect(second.state().connections[0]!.headers["last-event-id"]).toBe("3");
    expect(lines.find(({ level }) => level === "warn")!.fields).toMatchObject({ target: "a", delay: backoff.min });
  });

  test("the first is used again at the reconnect after its cool-down, and a healthy stream is not closed for it", async () => {
    const sources = await replicas(2);
    const [first, second] = sources as [NumberedUpstream, NumberedUpstream];
    first.control({ next: [{ status: 500 }] });
    const { upstream, untilState } = probe("", {
      targets: named(sources),
      coolDown: 50,
      backoff: { min: 5, max: 10, healthy: 0 },
    });
    upstream.start();
    await untilState("open");
    expect(upstream.status().target).toBe("b");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(upstream.status()).toMatchObject({ state: "open", target: "b", reconnects: 1 });
    second.control({ drop: "end" });
    await eventually(() => upstream.status().target === "a" && upstream.status().state === "open");
    expect(first.state().connections).toHaveLength(2);
  });

  test("round robin uses the next one at each reconnect", async () => {
    const sources = await replicas(3);
    for (const one of sources) one.control({ set: { dropEvery: 1 } });
    const { upstream, numbers, untilDelivered } = probe("", {
      targets: named(sources),
      balance: "round-robin",
      backoff: { min: 5, max: 10, healthy: 0 },
    });
    upstream.start();
    emit(sources, 6);
    await untilDelivered(6);
    expect(numbers()).toEqual(upTo(6));
    expect(sources.map((one) => one.state().connections.length)).toEqual([2, 2, 2]);
  });

  test("that are all down, they are tried in turn with a growing delay", async () => {
    const sources = await replicas(2);
    for (const one of sources) one.control({ always: { status: 500 } });
    const backoff = { min: 10, max: 100, healthy: 1000 };
    const { upstream, lines } = probe("", { targets: named(sources), backoff });
    upstream.start();
    await eventually(() => lines.length >= 5);
    expect(lines.slice(0, 4).map(({ fields }) => fields["target"])).toEqual(["a", "b", "a", "b"]);
    expect(lines.slice(0, 4).map(({ fields }) => fields["attempt"])).toEqual([1, 2, 3, 4]);
  });
});
