import { describe, it } from "vitest";
import { createRedisStore } from "../../src/log/redis/index.ts";
import { describeLogStore } from "../../src/testing/index.ts";
import { openRedisPlace } from "../support/redis.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";

describeLogStore(
  "redis",
  {
    persistent: true,
    shared: true,
    losesAnswers: true,
    async createPlace() {
      const { url, remove } = openRedisPlace();
      const proxy = await startTcpProxy(Number(new URL(url).port || 6379));
      const proxied = url.replace(/(?<=[/@])[^/@?]+(?=[/?])/, `127.0.0.1:${proxy.port}`);
      return {
        open: (now, node) => createRedisStore({ url: proxied, node, now }),
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
