import { describe, test } from "vitest";
import { allStores } from "../../support/all-stores.ts";
import { eventually } from "../../support/reader.ts";
import { createRoomTraffic } from "../../support/room-traffic.ts";
import { idle, makeNodes, openNode } from "./rooms.ts";

describe.each(allStores)("in $name", ({ place }) => {
  test("rooms that are used, removed and used again lose and double no event, and keep those with a subscriber", async () => {
    const store = await place();
    const nodes = await makeNodes(store, openNode);
    const addresses = await Promise.all(nodes.map((node) => node.listen()));
    const urls = addresses.map(({ port }) => `http://127.0.0.1:${port}`);
    const traffic = createRoomTraffic({ urls, rooms: 8, idle, unruly: false });
    traffic.start();
    await eventually(() => traffic.removals() >= 2, "2 removals");
    await traffic.finish();
  });
});
