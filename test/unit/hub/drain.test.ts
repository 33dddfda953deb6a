import fc from "fast-check";
import { expect, test } from "vitest";
import type { ControlEvents } from "../../../src/hub/control.ts";
import { drainSubscribers } from "../../../src/hub/drain.ts";
import { createNdjsonFormat, createSseFormat, type Format } from "../../../src/hub/format.ts";
import type { DrainPlan } from "../../../src/hub/hub.ts";
import type { Page } from "../../../src/hub/page.ts";
import type { Subscriber } from "../../../src/hub/subscriber.ts";
import { sliceSize } from "../../../src/util/event-loop.ts";
import { createParser } from "spillway/sse";

const sse = createSseFormat("epoch", "gateway");
const ndjson = createNdjsonFormat("epoch", "gateway");

/** The part of a subscriber that the drain uses. */
function subscribers(count: number, format: Format = sse): Subscriber[] {
  return Array.from({ length: count }, () => ({ closed: false, view: { format } }) as unknown as Subscriber);
}

interface Told {
  readonly subscriber: Subscriber;
  readonly page: Page;
  /** The number of turns of the event loop. */
  readonly turn: number;
}

/** The notifications in order. */
async function say(all: readonly Subscriber[], farewell: DrainPlan, onTold?: (told: Told) => void): Promise<Told[]> {
  const told: Told[] = [];
  let turn = 0;
  let over = false;
  const count = (): void => {
    turn++;
    if (!over) setImmediate(count);
  };
  setImmediate(count);
  await drainSubscribers(all, farewell, (subscriber, page) => {
    const one = { subscriber, page, turn };
    told.push(one);
    onTold?.(one);
  });
  over = true;
  return told;
}

function byeOf({ page }: Told): ControlEvents["spillway.bye"] & { readonly field: number | undefined } {
  const seen: Array<ControlEvents["spillway.bye"] & { field: number | undefined }> = [];
  const parser = createParser({
    onRetry: (ms) => (retry = ms),
    onEvent: ({ event, data }) => {
      expect(event).toBe("spillway.bye");
      seen.push({ ...(JSON.parse(data) as ControlEvents["spillway.bye"]), field: retry });
    },
  });
  let retry: number | undefined;
  parser.push(page.payload);
  expect(seen).toHaveLength(1);
  return seen[0]!;
}

const at: DrainPlan = { reason: "drain", over: 0, retry: [1000, 5000], grace: 5000 };

test("every subscriber is notified exactly once, in order, however many they are and however long it takes", () =>
  fc.assert(
    fc.asyncProperty(fc.nat(500), fc.nat(120), async (count, over) => {
      const all = subscribers(count);
      const told = await say(all, { ...at, over });
      expect(told.map(({ subscriber }) => subscriber)).toEqual(all);
    }),
    { numRuns: 30 },
  ));

test("the reconnect delays are within their range, at its ends too, and are equal in the field and in the data", () =>
  fc.assert(
    fc.asyncProperty(fc.nat(60_000), fc.nat(60_000), async (min, width) => {
      const told = await say(subscribers(40), { ...at, retry: [min, min + width] });
      for (const one of told) {
        const { reason, retry, field } = byeOf(one);
        expect([reason, field]).toEqual(["drain", retry]);
        expect(Number.isInteger(retry)).toBe(true);
        expect(retry).toBeGreaterThanOrEqual(min);
        expect(retry).toBeLessThanOrEqual(min + width);
      }
    }),
  ));

test("a thousand subscribers get many different delays, evenly spread, and pages are shared", async () => {
  const told = await say(subscribers(4000), at);
  const retries = told.map((one) => byeOf(one).retry);
  expect(new Set(retries).size).toBeGreaterThan(50);
  expect(new Set(told.map(({ page }) => page)).size).toBe(new Set(retries).size);
  for (let quarter = 0; quarter < 4; quarter++) {
    const inIt = retries.filter((retry) => retry >= 1000 + quarter * 1000 && retry < 2000 + quarter * 1000);
    // 1000 are expected, with a deviation of 27.
    expect(inIt.length).toBeGreaterThan(800);
  }
});

test("each subscriber is notified in its own format", async () => {
  const told = await say([...subscribers(3), ...subscribers(3, ndjson)], at);
  const starts = told.map(({ page }) => Buffer.from(page.payload).toString().slice(0, 1));
  expect(starts.slice(3)).toEqual(["{", "{", "{"]);
  expect(starts.slice(0, 3)).not.toContain("{");
});

test("subscribers that have left, or leave meanwhile, are not notified", async () => {
  const all = subscribers(300);
  Object.assign(all[0]!, { closed: true });
  const last = all.at(-1)!;
  const told = await say(all, { ...at, over: 60 }, () => Object.assign(last, { closed: true }));
  expect(told.map(({ subscriber }) => subscriber)).toEqual(all.slice(1, -1));
});

test("over 0 ms all are notified without a pause, in slices between which the event loop runs", async () => {
  const told = await say(subscribers(1000), at);
  const perTurn = new Map<number, number>();
  for (const { turn } of told) perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1);
  expect(Math.max(...perTurn.values())).toBeLessThanOrEqual(2 * sliceSize);
  expect(perTurn.size).toBeGreaterThan(4);
});

test("over a longer time, subscribers are notified in proportion to the time that has passed", async () => {
  const startedAt = performance.now();
  const over = 300;
  const all = subscribers(600);
  let done = 0;
  await say(all, { ...at, over }, () => {
    done++;
    // Never more than the elapsed time allows, plus one step of 20 ms.
    expect(done / all.length).toBeLessThanOrEqual((performance.now() - startedAt + 20) / over + 1 / all.length);
  });
  expect(done).toBe(600);
});

test("a process that was busy for the whole time notifies the rest without further pauses", async () => {
  let busy = false;
  const told = await say(subscribers(640), { ...at, over: 600 }, ({ turn }) => {
    if (turn > 0 || busy) return;
    busy = true;
    const until = performance.now() + 650;
    while (performance.now() < until);
  });
  expect(told).toHaveLength(640);
  // Ten slices, instead of thirty steps.
  expect(new Set(told.map(({ turn }) => turn)).size).toBeLessThan(20);
});

test("without subscribers there is nothing to wait for", async () => {
  expect(await say([], { ...at, over: 1e9 })).toEqual([]);
});
