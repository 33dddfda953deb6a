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
    removes: true,
    losesAnswers: true,
    createPlace: () => openProxiedPlace(openRedisPlace(), (url, now, node) => createRedisStore({ url, node, now })),
  },
  { describe, it },
);
