import { createGateway, createLazyGateway, SpillwayError, type CreateGatewayConfig, type LazyGateway } from "spillway";
import type { LogStore } from "spillway/log";
import { createMemoryStore } from "spillway/memory";
import { expect, test } from "vitest";
import { countWatchers } from "../support/watched-store.ts";

/** A store that counts how often it was closed. */
function countedStore(): { store: LogStore; closed(): number } {
  const memory = createMemoryStore();
  let closes = 0;
  const store: LogStore = {
    kind: "counted",
    open: (stream, options) => memory.open(stream, options),
    async close() {
      closes++;
      await memory.close();
    },
  };
  return { store, closed: () => closes };
}

function withStore(store: CreateGatewayConfig["store"]): CreateGatewayConfig {
  return { store, streams: { orders: {} } };
}

test("an open store can be used by one gateway after another, and stays open when they close", async () => {
  const { store, closed } = countedStore();
  const first = await createGateway(withStore(store));
  const [id] = await first.publish("orders", { data: "tea" });
  await first.close();
  expect(closed()).toBe(0);
  const second = await createGateway(withStore(store));
  for await (const event of second.subscribe("orders", { after: "earliest" })) {
    expect(event).toMatchObject({ id, data: "tea" });
    break;
  }
  await second.close();
  expect(closed()).toBe(0);
  await store.close();
});

test("a store that a function opens gets the logger and the node's name, and is closed with the gateway", async () => {
  const { store, closed } = countedStore();
  const nodes: string[] = [];
  const gateway = await createGateway({
    ...withStore(({ node, logger, onReset }) => {
      nodes.push(node, typeof logger.warn, typeof onReset);
      return store;
    }),
    cluster: { node: "a" },
  });
  expect(nodes).toEqual(["a", "function", "function"]);
  await gateway.publish("orders", { data: "tea" });
  expect(closed()).toBe(0);
  await gateway.close();
  expect(closed()).toBe(1);
});

test("subscribers of a stream whose log the store replaces are disconnected, and the new log is served", async () => {
  const memory = createMemoryStore();
  let replaced = false;
  let lose = (_: string): void => {};
  const gateway = await createGateway(
    withStore(({ onReset }) => {
      lose = onReset;
      return {
        kind: "counted",
        open: (stream, options) => memory.open(replaced ? `${stream}-2` : stream, options),
        close: () => memory.close(),
      };
    }),
  );
  const [before] = await gateway.publish("orders", { data: "tea" });
  replaced = true;
  lose("orders");
  await expect
    .poll(async () => (await gateway.publish("orders", { data: "cake" }))[0]!.split(".")[0])
    .not.toBe(before!.split(".")[0]);
  await gateway.close();
});

test("a gateway that cannot start closes the store that it opened, but not one that was passed to it", async () => {
  const { store, closed } = countedStore();
  const failing: LogStore = {
    ...store,
    open: () => Promise.reject(new SpillwayError("store-unavailable")),
  };
  await expect(createGateway(withStore(failing))).rejects.toMatchObject({ code: "store-unavailable" });
  expect(closed()).toBe(0);
  await expect(createGateway(withStore(() => failing))).rejects.toMatchObject({ code: "store-unavailable" });
  expect(closed()).toBe(1);
});

test("a gateway that fails after it has opened its streams does not follow their logs any more", async () => {
  const memory = createMemoryStore();
  const { store, watched } = countWatchers(memory, (stream) => {
    if (stream === "_runs") throw new SpillwayError("store-unavailable");
  });
  const runs = { "/v1/**": { upstream: { url: "http://127.0.0.1:9" } } };
  await expect(createGateway({ ...withStore(store), runs })).rejects.toMatchObject({ code: "store-unavailable" });
  expect(watched()).toBe(0);
  await memory.close();
});

test.each(["auto", 2] as const)("with workers: %s, a store of the program is refused", async (workers) => {
  const { store } = countedStore();
  await expect(createGateway({ ...withStore(store), workers })).rejects.toMatchObject({
    code: "config-invalid",
    field: "workers",
    message: expect.stringContaining(
      `cannot be shared with other processes, got ${workers}: remove \`workers\``,
    ) as string,
  });
});

test("a value that is not a store is refused with what was expected", async () => {
  await expect(createGateway(withStore({} as LogStore))).rejects.toMatchObject({
    code: "config-invalid",
    field: "store",
    message: expect.stringContaining("got a value of the type object") as string,
  });
});

test("a reload keeps the store of the program, and refuses a URL instead of it", async () => {
  const { store, closed } = countedStore();
  let config: CreateGatewayConfig = withStore(store);
  const gateway = await createGateway(config, { readConfig: () => config, logger: false });
  const [id] = await gateway.publish("orders", { data: "tea" });
  config = { store, streams: { orders: {}, prices: {} } };
  await gateway.reload();
  const [next] = await gateway.publish("orders", { data: "cake" });
  expect(next!.split(".")[0]).toBe(id!.split(".")[0]);
  await gateway.publish("prices", { data: "1" });
  config = { ...config, store: "memory:" };
  await expect(gateway.reload()).rejects.toMatchObject({ code: "restart-required", field: "store" });
  await gateway.close();
  expect(closed()).toBe(0);
  await store.close();
});

test("a lazy gateway opens the store of the program on first use, once", async () => {
  let opened = 0;
  const gateway = createLazyGateway(
    withStore(() => {
      opened++;
      return createMemoryStore();
    }),
    { name: "own-store" },
  );
  expect(opened).toBe(0);
  await gateway.publish("orders", { data: "tea" });
  await gateway.publish("orders", { data: "cake" });
  expect(opened).toBe(1);
  await gateway.close();
});

test("lazy gateways with the same name share an open store, but not two different ones", async () => {
  const [one, other] = [countedStore(), countedStore()];
  const make = ({ store }: { store: LogStore }): LazyGateway =>
    createLazyGateway(withStore(store), { name: "open-stores" });
  const [first, copy, changed] = [make(one), make(one), make(other)];
  try {
    expect(await copy.open()).toBe(await first.open());
    await first.publish("orders", { data: "tea" });
    // The log of the other store begins anew.
    expect(await changed.publish("orders", { data: "cake" })).toEqual([expect.stringMatching(/\.1$/)]);
    await expect(first.publish("orders", { data: "milk" })).rejects.toMatchObject({ code: "config-invalid" });
  } finally {
    await changed.close();
  }
});
