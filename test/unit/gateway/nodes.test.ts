import { expect, test } from "vitest";
import { Nodes } from "../../../src/gateway/nodes.ts";
import { createMemoryStore } from "../../../src/log/memory/index.ts";
import type { LogStore } from "../../../src/log/log.ts";
import { silentLogger } from "../../../src/util/logger.ts";

test("a node that is stopped while it starts does not follow the log of the nodes", async () => {
  const memory = createMemoryStore();
  let [watched, open] = [0, (): void => {}];
  const held = new Promise<void>((resolve) => (open = resolve));
  const store: LogStore = {
    ...memory,
    async open(name, options) {
      await held;
      const log = await memory.open(name, options);
      const watch = log.watch.bind(log);
      log.watch = (listener) => {
        watched++;
        const end = watch(listener);
        return () => {
          watched--;
          end();
        };
      };
      return log;
    },
  };
  const nodes = new Nodes({ store, peerCalls: () => expect.unreachable(), logger: silentLogger });
  const started = nodes.start();
  await nodes.stop();
  open();
  await started;
  expect(watched).toBe(0);
  await memory.close();
});
