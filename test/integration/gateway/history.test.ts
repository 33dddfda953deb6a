import { createGateway, type Gateway, type SubscribeOptions } from "spillway";
import { expect, onTestFinished, test } from "vitest";

async function openGateway(events: number, retention: object = {}): Promise<Gateway> {
  const gateway = await createGateway({ store: "memory:", drain: "0s", streams: { s: { retention } } });
  onTestFinished(() => gateway.close());
  const batch = Array.from({ length: events }, (_, n) => ({ data: `${n}`, channel: n % 2 ? "odd" : "even" }));
  for (let at = 0; at < events; at += 100) await gateway.publish("s", batch.slice(at, at + 100));
  return gateway;
}

async function history(gateway: Gateway, options: SubscribeOptions): Promise<string[]> {
  const found: string[] = [];
  for await (const { event, data } of gateway.subscribe("s", { ...options, follow: false }))
    found.push(event === "message" ? data : event);
  return found;
}

test("a history ends with the last stored event", async () => {
  const gateway = await openGateway(3000);
  const all = Array.from({ length: 3000 }, (_, n) => `${n}`);
  expect(await history(gateway, { after: "earliest" })).toEqual(all);
  expect(await history(gateway, { after: "earliest", channels: ["odd"] })).toEqual(all.filter((_, n) => n % 2 === 1));
  expect(await history(gateway, { after: "earliest", channels: ["none"] })).toEqual([]);
  expect(await history(gateway, {})).toEqual([]);
});

test("a history of an empty stream ends at once", async () => {
  expect(await history(await openGateway(0), { after: "earliest" })).toEqual([]);
});

test("a history ends although events arrive all the time", async () => {
  const gateway = await openGateway(500);
  let read = 0;
  for await (const event of gateway.subscribe("s", { after: "earliest", channels: ["even"], follow: false })) {
    expect(event.channel).toBe("even");
    read++;
    await gateway.publish(
      "s",
      Array.from({ length: 10 }, () => ({ data: "late", channel: "odd" })),
    );
  }
  expect(read).toBe(250);
});

test("a history says what retention has removed", async () => {
  const gateway = await openGateway(3000, { events: 10 });
  const [first, ...rest] = await history(gateway, { after: "earliest" });
  expect(Number(first)).toBeGreaterThan(0);
  expect(rest.at(-1)).toBe("2999");
  expect((await history(gateway, { after: "AAAAAAAA.1" }))[0]).toMatch(/^spillway\.(gap|reset)$/);
});
