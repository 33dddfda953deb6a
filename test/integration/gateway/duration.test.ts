import { afterEach, describe, expect, test } from "vitest";
import { doors, embeddedDoors } from "../../support/doors.ts";
import { openGateway, type Opened } from "../../support/gateways.ts";
import { eventually, read } from "../../support/reader.ts";

let opened: Opened | undefined;
afterEach(async () => {
  await opened?.close();
  opened = undefined;
});

/** Subscribes and polls until both have ended, and resumes. */
async function endOnce({ door, gateway }: Opened, longest: number): Promise<void> {
  const start = performance.now();
  const reading = read(await door.request("/streams/s"));
  const polled = await door.request("/streams/s?wait=50", { headers: { accept: "application/json" } });
  expect(await polled.json()).toMatchObject({ events: [], gap: null });
  await eventually(() => reading.ended, "the end of the subscription");
  // A tenth earlier at most.
  expect(performance.now() - start).toBeGreaterThan(longest * 0.9 - 1);
  expect(reading.controls("spillway.bye")).toEqual([{ reason: "duration", retry: 1000 }]);
  expect(gateway.status().streams["s"]!.closed).toMatchObject({ duration: 1, client: 0 });
  const [id] = await gateway.publish("s", { data: "meanwhile" });
  const { cursor } = reading.controls("connected")[0]!;
  const resumed = read(await door.request("/streams/s", { headers: { "last-event-id": String(cursor) } }));
  await resumed.until(({ events }) => events.at(-1)?.id === id);
  await resumed.cancel();
}

test.each(doors)("limits.maxDuration ends a subscription and a long poll through $name", async (kind) => {
  opened = await openGateway("memory", kind, { streams: { s: {} }, limits: { maxDuration: 500 } });
  await endOnce(opened, 500);
});

describe.each(embeddedDoors)("through $name", (kind) => {
  test("a handler can set a shorter duration than the limit", async () => {
    const config = { streams: { s: {} }, limits: { maxDuration: "1h" } };
    opened = await openGateway("memory", kind, config, undefined, { maxDuration: 500 });
    await endOnce(opened, 500);
  });
});
