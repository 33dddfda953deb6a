import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createGateway } from "../../../src/config/create-gateway.ts";
import { isStoreUrl, openStore } from "../../../src/config/open-store.ts";
import { SpillwayError } from "../../../src/errors.ts";
import { silentLogger } from "../../../src/util/logger.ts";

const directory = mkdtempSync(join(tmpdir(), "spillway-store-"));

afterAll(() => rmSync(directory, { recursive: true }));

test("a store's URL names its kind and, for SQLite, a path", () => {
  const good = ["memory:", "sqlite:./a.db", "sqlite:/a.db", "sqlite:///a.db", "SQLITE:a.db"];
  const bad = ["", "memory", "memory:a", "sqlite:", "sqlite://", "a.db", "redis://h", "constructor:a", ":a"];
  expect([good.filter(isStoreUrl), bad.filter(isStoreUrl)]).toEqual([good, []]);
});

test.each(["sqlite:", "sqlite://"])("%s opens the file behind it", async (prefix) => {
  const file = join(directory, `${prefix.length}.db`);
  const store = await openStore({ store: `${prefix}${file}`, synchronous: "full" }, silentLogger);
  expect(store.kind).toBe("sqlite");
  await store.open("a", { retention: { age: undefined, events: undefined, bytes: undefined } });
  await store.close();
  expect(existsSync(file)).toBe(true);
});

test("an unknown store is refused by its scheme alone", async () => {
  const opened = openStore({ store: "redis://u:hunter2@h/1", synchronous: "full" }, silentLogger);
  const error = await opened.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(SpillwayError);
  expect(error).toMatchObject({ code: "config-invalid", field: "store", got: "redis:" });
  expect(String(error)).not.toContain("hunter2");
});

test("a gateway is made of a configuration, and its store is free again after close", async () => {
  const config = { store: `sqlite:${join(directory, "gateway.db")}`, streams: { chat: {} } };
  const first = await createGateway(config);
  const [id] = await first.publish("chat", { data: "a" });
  await first.close();
  const second = await createGateway(config);
  const [next] = await second.publish("chat", { data: "b" });
  await second.close();
  expect(next).toBe(id?.replace(/\.1$/, ".2"));
});
