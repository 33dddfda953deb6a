import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { allStores } from "../../support/all-stores.ts";
import { testPatience } from "../../support/patience.ts";
import { eventually } from "../../support/reader.ts";
import { createRoomTraffic } from "../../support/room-traffic.ts";
import { type GatewayNode, prepareNode } from "../../support/run-nodes.ts";
import { config, idle, makeNodes } from "./rooms.ts";

/** How often a node is killed: `KILL_ROUNDS=50 npx vitest run test/integration/on-demand/kill.test.ts`. */
const rounds = Number(process.env["KILL_ROUNDS"] ?? 1);

describe.each(allStores.filter(({ isPersistent }) => isPersistent))("in $name, killed", ({ place }) => {
  test(
    `kill -9 and pauses, ${rounds} times, while rooms are removed: none is lost, doubled or silent`,
    { timeout: testPatience + rounds * 10_000 },
    async () => {
      const store = await place();
      const nodes = await makeNodes(store, () => prepareNode(config(store)));
      await Promise.all(nodes.map((node) => node.start()));
      const traffic = createRoomTraffic({ urls: nodes.map(({ url }) => url), rooms: 8, idle, unruly: true });
      traffic.start();
      for (let round = 0; round < rounds; round++) await disturb(nodes[round % nodes.length]!);
      await eventually(() => traffic.removals() >= 2, "2 removals");
      await traffic.finish();
    },
  );
});

/** Kills a node in the midst of what it does, and then pauses it for about as long as others take to give it up. */
async function disturb(node: GatewayNode): Promise<void> {
  await sleep(Math.random() * 2 * idle);
  expect(await node.kill("SIGKILL")).toBe("SIGKILL");
  await node.start();
  await sleep(Math.random() * idle);
  node.pause(true);
  await sleep(Math.random() * 5 * idle);
  node.pause(false);
}
