import { createGateway, type DeliveryStatus, type Gateway } from "spillway";
import { afterEach, describe, expect, test } from "vitest";
import { eventually } from "../../support/reader.ts";
import { accept, secret, startReceiver, status, type Receiver } from "../../support/receiver.ts";
import { engines } from "../../support/shared-engines.ts";

const cleanUps: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function startNode(node: string, store: string, receiver: Receiver): Promise<Gateway> {
  const gateway = await createGateway(
    {
      store,
      cluster: { node },
      streams: { orders: {} },
      deliveries: {
        billing: { stream: "orders", url: receiver.url, sign: { secret }, allowPrivate: true, retry: ["1h"] },
      },
    },
    { logger: false },
  );
  cleanUps.push(() => gateway.close());
  return gateway;
}

const billing = (gateway: Gateway): DeliveryStatus => gateway.deliveries.status()["billing"]!;

describe.each(engines)("on $name", (engine) => {
  test("one node delivers, any node shows and controls it, and another continues at its position", async () => {
    const place = engine.openPlace();
    cleanUps.push(() => place.remove());
    const receiver = await startReceiver();
    cleanUps.push(() => receiver.close());
    const nodes = [await startNode("a", place.url, receiver), await startNode("b", place.url, receiver)];
    const isLeader = (node: Gateway): boolean => billing(node).leader === true && billing(node).state === "active";
    await eventually(() => nodes.some(isLeader), "a leader");
    const leader = nodes.find(isLeader)!;
    const other = nodes.find((node) => node !== leader)!;
    expect(billing(other)).toMatchObject({ leader: false });

    await other.publish("orders", [{ data: "1" }, { data: "2" }]);
    await eventually(() => billing(other).delivered === 2, "the counts on the other node");
    await other.deliveries.pause("billing");
    expect([billing(leader).state, billing(other).state]).toEqual(["paused", "paused"]);
    await leader.publish("orders", { data: "3", channel: "a" });
    receiver.answer = status(500);
    await other.deliveries.resume("billing");
    await eventually(() => billing(other).failed === 1, "the failure on the other node");

    await leader.close();
    await eventually(() => isLeader(other), "the other node as the leader");
    expect(billing(other)).toMatchObject({ delivered: 2, failed: 1, waiting: 1 });
    receiver.answer = accept;
    await other.deliveries.resume("billing");
    await other.publish("orders", { data: "4", channel: "a" });
    await eventually(() => billing(other).delivered === 4, "the rest");
    expect(receiver.received.map(({ data }) => data)).toEqual(["1", "2", "3", "3", "4"]);
  });
});
