import { describe, it } from "vitest";
import { createNatsStore } from "../../src/log/nats/index.ts";
import { describeLogStore } from "../../src/testing/index.ts";
import { openNatsPlace } from "../support/nats.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";

describeLogStore(
  "nats",
  {
    persistent: true,
    shared: true,
    losesAnswers: true,
    async createPlace() {
      const { url, remove } = openNatsPlace();
      const proxy = await startTcpProxy(Number(new URL(url).port || 4222));
      const proxied = url.replace(/(?<=[/@])[^/@?]+(?=[/?])/, `127.0.0.1:${proxy.port}`);
      return {
        open: (now, node) => createNatsStore({ url: proxied, node, now }),
        loseAnswers() {
          proxy.loseAnswers(true);
          return () => proxy.loseAnswers(false);
        },
        async remove() {
          await proxy.close();
          await remove();
        },
      };
    },
  },
  { describe, it },
);
