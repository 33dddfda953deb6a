import { createGateway, type Gateway } from "spillway";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually, read, type Reading } from "../../support/reader.ts";
import { engines } from "../../support/shared-engines.ts";

async function openNode(store: string, idle: string): Promise<Gateway> {
  const gateway = await createGateway(
    { store, streams: { "chat-*": { onDemand: { idle } } }, access: { anonymous: ["subscribe", "publish", "admin"] } },
    { logger: false },
  );
  onTestFinished(() => gateway.close());
  return gateway;
}

async function subscribe(gateway: Gateway, stream: string): Promise<Reading> {
  const headers = { accept: "text/event-stream" };
  return read(await gateway.fetch(new Request(`http://x/streams/${stream}`, { headers })));
}

function known(gateway: Gateway): number {
  return gateway.status().onDemand["chat-*"]!.streams;
}

describe.each(engines)("on $name", (engine) => {
  test("events published on one node reach the subscribers of the same name on another, also the first one", async () => {
    const place = engine.openPlace();
    onTestFinished(() => place.remove());
    const [first, second] = [await openNode(place.url, "1h"), await openNode(place.url, "1h")];
    const reading = await subscribe(first, "chat-1");
    await second.publish("chat-1", { data: "one" });
    await first.publish("chat-1", { data: "two" });
    await reading.until(() => reading.data().length === 2);
    expect(reading.data()).toEqual(["one", "two"]);
    await reading.cancel();
  });

  test("a stream is not removed by one node while another has a subscriber, and is removed once nobody uses it", async () => {
    const place = engine.openPlace();
    onTestFinished(() => place.remove());
    const [first, second] = [await openNode(place.url, "1s"), await openNode(place.url, "1s")];
    const reading = await subscribe(second, "chat-used");
    await first.publish("chat-used", { data: "one" });
    await first.publish("chat-unused", { data: "one" });
    expect(known(first)).toBe(2);
    await eventually(() => known(first) === 1, "the unused stream is removed");
    // By then the first node has asked about both.
    await first.publish("chat-used", { data: "two" });
    await reading.until(() => reading.data().length === 2);
    expect(reading.controls("spillway.reset")).toEqual([]);
    await reading.cancel();
    await eventually(() => known(first) === 0 && known(second) === 0, "the other stream is removed as well");
    const ids = await second.publish("chat-used", { data: "three" });
    expect(ids[0]).toMatch(/\.1$/);
  });
});
