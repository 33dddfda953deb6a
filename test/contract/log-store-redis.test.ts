import { describe, it } from "vitest";
import { createRedisStore } from "../../src/log/redis/index.ts";
import { describeLogStore } from "../../src/testing/index.ts";
import { openRedisPlace } from "../support/redis.ts";
import { openProxiedPlace } from "../support/proxied-place.ts";

describeLogStore(
  "redis",
  {
    persistent: true,
    shared: true,
    losesAnswers: true,
    createPlace() {
      const { url, remove } = openRedisPlace();
      return openProxiedPlace(
        Number(new URL(url).port || 6379),
        (port, now, node) =>
          createRedisStore({ url: url.replace(/(?<=[/@])[^/@?]+(?=[/?])/, `127.0.0.1:${port}`), node, now }),
        remove,
      );
    },
  },
  { describe, it },
);
