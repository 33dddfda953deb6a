import { expect, test } from "vitest";
import { createGateway } from "../../../src/config/create-gateway.ts";
import { engineOf, isStoreUrl, openStore } from "../../../src/config/open-store.ts";
import { SpillwayError } from "../../../src/errors.ts";
import { silentLogger } from "../../../src/util/logger.ts";

test("a store's URL names its kind and, for SQLite, a path", () => {
  const good = [
    "memory:",
    "sqlite:./a.db",
    "sqlite:/a.db",
    "sqlite:///a.db",
    "SQLITE:a.db",
    "postgres://h/d",
    "redis://h",
  ];
  const bad = ["", "memory", "memory:a", "sqlite:", "sqlite://", "a.db", "mongodb://h", "constructor:a", ":a"];
  expect([good.filter(isStoreUrl), bad.filter(isStoreUrl)]).toEqual([good, []]);
});

test.each([
  ["postgres://me:hunter2@h:1/d", "PostgreSQL", [{ host: "h", port: 1 }]],
  ["mysql://h/d", "MySQL", [{ host: "h", port: 3306 }]],
  ["redis://[::1]:2/0", "Redis", [{ host: "::1", port: 2 }]],
  [
    "nats://user@a:3,b?x=y",
    "NATS",
    [
      { host: "a", port: 3 },
      { host: "b", port: 4222 },
    ],
  ],
])("the engine of %s is %s, with its servers", (url, name, servers) => {
  expect(engineOf(url)).toEqual({ name, servers });
});

test("memory: opens a store that is lost when the process ends", async () => {
  const store = await openStore({ store: "memory:", synchronous: "full" }, { logger: silentLogger });
  expect(store.kind).toBe("memory");
  await store.close();
});

test("an unknown store is reported by its scheme only", async () => {
  const opened = openStore({ store: "mongodb://u:hunter2@h/1", synchronous: "full" }, { logger: silentLogger });
  const error = await opened.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(SpillwayError);
  expect(error).toMatchObject({ code: "config-invalid", field: "store", got: "mongodb:" });
  expect(String(error)).not.toContain("hunter2");
});

test("a gateway is created from a configuration", async () => {
  const gateway = await createGateway({ store: "memory:", streams: { chat: {} } });
  expect(await gateway.publish("chat", [{ data: "a" }, { data: "b" }])).toHaveLength(2);
  await gateway.close();
});

test("a configuration with errors creates none", async () => {
  await expect(createGateway({ store: "memory:", drain: "never" })).rejects.toMatchObject({ code: "config-invalid" });
});
