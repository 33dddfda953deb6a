import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { doors } from "../support/doors.ts";
import { openGateway, stores } from "../support/gateways.ts";
import { read } from "../support/reader.ts";

/** The operations on a stream, in any order. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ publish: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 2, arbitrary: fc.record({ subscribe: fc.double({ min: 0, max: 1, noNaN: true }), odd: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant("turn" as const) },
);

describe.each(doors.flatMap((door) => stores.map((store) => ({ title: `${door.name} over ${store}`, door, store }))))(
  "$title",
  ({ door: kind, store }) => {
    test("the change from replay to live loses and repeats nothing, whenever and wherever a subscriber starts", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
          const { door, gateway, close } = await openGateway(store, kind, { streams: { s: {} } });
          const ids: string[] = [];
          const publishing: Array<Promise<unknown>> = [];
          const subscribers: Array<{ from: number; odd: boolean; reading: ReturnType<typeof read> }> = [];
          let published = 0;
          const publish = (count: number): void => {
            const batch = Array.from({ length: count }, () => ({
              data: String(++published),
              channel: published % 2 ? "odd" : "even",
            }));
            publishing.push(gateway.publish("s", batch).then((made) => ids.push(...made)));
          };
          try {
            for (const action of steps) {
              if (action === "turn") await new Promise((resolve) => setImmediate(resolve));
              else if ("publish" in action) publish(action.publish);
              else {
                // Only ids that were given out already; appends under way are what the hand-over has to cope with.
                const from = Math.floor(action.subscribe * ids.length);
                const after = from === 0 ? "earliest" : ids[from - 1]!;
                const path = `/streams/s?after=${after}${action.odd ? "&channels=odd" : ""}`;
                subscribers.push({ from, odd: action.odd, reading: read(await door.request(path)) });
              }
            }
            await Promise.all(publishing);
            await gateway.publish("s", { data: "end", channel: "odd" });
            for (const { from, odd, reading } of subscribers) {
              await reading.until(() => reading.data().at(-1) === "end");
              const all = Array.from({ length: published - from }, (_, i) => from + 1 + i);
              const expected = all.filter((n) => !odd || n % 2 === 1).map(String);
              expect(reading.data()).toEqual([...expected, "end"]);
              const controls = reading.events.filter(({ event }) => event.startsWith("spillway."));
              // A subscriber with a filter is told when its replay has ended.
              expect(controls.map(({ event }) => event)).toEqual(odd && controls[0] ? ["spillway.heartbeat"] : []);
              await reading.cancel();
            }
          } finally {
            await close();
          }
        }),
        { numRuns: store === "memory" ? 40 : 10 },
      );
    }, 60_000);
  },
);
