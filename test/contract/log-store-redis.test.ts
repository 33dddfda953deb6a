import { describe, it } from "vitest";
import { createRedisStore } from "../../src/log/redis/index.ts";
import { describeLogStore } from "../../src/testing/index.ts";
import { openRedisPlace } from "../support/redis.ts";

describeLogStore(
  "redis",
  {
    persistent: true,
    shared: true,
    async createPlace() {
      const { url, remove } = openRedisPlace();
      return { open: (now, node) => createRedisStore({ url, node, now }), remove };
    },
  },
  { describe, it },
);
