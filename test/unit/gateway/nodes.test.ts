import { expect, test } from "vitest";
import { Nodes } from "../../../src/gateway/nodes.ts";
import { createMemoryStore } from "../../../src/log/memory/index.ts";
import { silentLogger } from "../../../src/util/logger.ts";
import { countWatchers } from "../../support/watched-store.ts";

test("a node that is stopped while it starts does not follow the log of the nodes", async () => {
  const memory = createMemoryStore();
  let open = (): void => {};
  const held = new Promise<void>((resolve) => (open = resolve));
  const { store, watched } = countWatchers(memory, () => held);
  const nodes = new Nodes({ store, peerCalls: () => expect.unreachable(), logger: silentLogger });
  const started = nodes.start();
  await nodes.stop();
  open();
  await started;
  expect(watched()).toBe(0);
  await memory.close();
});
