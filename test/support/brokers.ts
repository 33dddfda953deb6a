import type { EngineStoreOptions } from "../../src/log/engine/store.ts";
import type { LogStore } from "../../src/log/log.ts";
import { createNatsStore } from "../../src/log/nats/index.ts";
import { createRedisStore } from "../../src/log/redis/index.ts";
import type { EngineServer } from "./engine-server.ts";
import { isPresent } from "./engines.ts";
import { openNatsPlace, startNats } from "./nats.ts";
import { openRedisPlace, startRedis } from "./redis.ts";
import { closedAfterTest } from "./store-nodes.ts";

/** What the tests of both message brokers need. */
export interface Broker {
  readonly name: string;
  /** Names keys or streams that no other test uses. Default: on the server that tests share. */
  openPlace(server?: string): { readonly url: string; remove(): Promise<void> };
  startServer(): Promise<EngineServer>;
  /** Opens a store that is closed after the test. */
  openStore(url: string, options?: Partial<EngineStoreOptions>): Promise<LogStore>;
}

const all: readonly Broker[] = [
  {
    name: "redis",
    openPlace: openRedisPlace,
    startServer: () => startRedis(),
    openStore: (url, options) => closedAfterTest(createRedisStore({ url, node: "a", ...options })),
  },
  {
    name: "nats",
    openPlace: openNatsPlace,
    startServer: () => startNats(),
    openStore: (url, options) => closedAfterTest(createNatsStore({ url, node: "a", ...options })),
  },
];

/** Redis and NATS, if they are available. */
export const brokers: readonly Broker[] = all.filter(isPresent);
