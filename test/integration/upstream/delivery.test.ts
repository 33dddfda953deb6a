import { describe, expect, test } from "vitest";
import { SpillwayError } from "../../../src/errors.ts";
import { eventually } from "../../support/reader.ts";
import { probe, source, upTo } from "./support.ts";
import { patience } from "../../support/patience.ts";

/** A delivery that waits until it is released. */
function gate(): {
  readonly passed: Promise<void>;
  readonly waiting: () => number;
  wait(): Promise<void>;
  open(): void;
} {
  let open = (): void => {};
  let waiting = 0;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return {
    passed,
    open: () => open(),
    waiting: () => waiting,
    async wait() {
      waiting++;
      await passed;
      waiting--;
    },
  };
}

describe("while a delivery is in progress", () => {
  test("nothing more is read, so that the source is slowed down and memory stays bounded", async () => {
    const origin = await source({ padding: 1000 });
    const { wait, waiting, open } = gate();
    const { upstream, batches, numbers, untilDelivered } = probe(origin.url, {}, { deliver: wait });
    upstream.start();
    origin.control({ emit: 20_000 });
    await eventually(() => waiting() === 1);
    const sent = (): number => origin.state().connections[0]!.sent;
    // The buffers of both ends fill up, and then it stands still.
    await eventually(() => sent() > 0);
    let before = -1;
    while (sent() !== before) {
      before = sent();
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(before).toBeLessThan(20_000);
    expect(waiting()).toBe(1);
    expect(batches).toEqual([]);
    open();
    await untilDelivered(20_000);
    expect(numbers()).toEqual(upTo(20_000));
    expect(upstream.status().reconnects).toBe(0);
    expect(batches.length).toBeLessThan(20_000);
  });

  test("its time does not count as silence of the source", async () => {
    const origin = await source();
    const { wait, waiting, open } = gate();
    const idle = 1000;
    const { upstream, lines, numbers, untilDelivered } = probe(
      origin.url,
      { timeouts: { connect: patience, headers: patience, idle } },
      { deliver: wait },
    );
    upstream.start();
    origin.control({ emit: 1 });
    await eventually(() => waiting() === 1);
    await new Promise((resolve) => setTimeout(resolve, 3 * idle));
    origin.control({ emit: 1 });
    open();
    await untilDelivered(2);
    expect(numbers()).toEqual([1, 2]);
    expect(lines.filter(({ level }) => level === "warn")).toEqual([]);
  });

  test("a broken connection does not end it, and the events are not delivered again", async () => {
    const origin = await source();
    const { wait, waiting, open } = gate();
    const { upstream, numbers, untilDelivered } = probe(origin.url, {}, { deliver: wait });
    upstream.start();
    origin.control({ emit: 3 });
    await eventually(() => waiting() === 1);
    origin.control({ drop: "reset" });
    await eventually(() => origin.state().sockets === 0);
    expect(upstream.status().state).toBe("open");
    open();
    origin.control({ emit: 2 });
    await untilDelivered(5);
    expect(numbers()).toEqual(upTo(5));
  });
});

test("a delivery that fails is a failure with its own code, and its events are requested again", async () => {
  const origin = await source();
  let failures = 2;
  const deliver = (): Promise<void> =>
    failures-- > 0 ? Promise.reject(new SpillwayError("store-unavailable")) : Promise.resolve();
  const { upstream, numbers, untilFailure, untilDelivered } = probe(origin.url, {}, { deliver });
  upstream.start();
  origin.control({ emit: 4 });
  expect(await untilFailure()).toBe("store-unavailable");
  await untilDelivered(4);
  expect(numbers()).toEqual(upTo(4));
  expect(upstream.status().errors).toBe(2);
});
