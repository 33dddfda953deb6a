import { expect, test } from "vitest";
import { createNatsStore } from "../../../src/log/nats/index.ts";
import { freePort } from "../../support/ports.ts";
import { everything } from "../../support/store-nodes.ts";
import { serverForTest } from "./nodes.ts";

test.each([
  ["nats://", "a URL of another form"],
  ["http://127.0.0.1:4222", "a URL of another form"],
  ["nats://127.0.0.1:4222?prefix=a.b", "a.b"],
  ["nats://127.0.0.1:4222?replicas=7", "7"],
  ["nats://127.0.0.1:4222?storage=tape", "tape"],
  ["nats://127.0.0.1:4222?colour=blue", "colour"],
])("%s is refused, and the error says why", async (url, got) => {
  await expect(createNatsStore({ url, node: "a" })).rejects.toMatchObject({
    code: "config-invalid",
    field: "store",
    got,
  });
});

test("an unreachable server is store-unavailable, without showing a secret", async () => {
  const url = `nats://someone:secret@127.0.0.1:${await freePort()}`;
  const error: unknown = await createNatsStore({ url, node: "a" }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "store-unavailable" });
  expect(String(error)).not.toContain("secret");
});

test("user and password come from the URL, and any of several servers is used", async () => {
  const server = await serverForTest("--user", "someone", "--pass", "p@ss:word");
  const servers = `127.0.0.1:${await freePort()},127.0.0.1:${server.port}`;
  const open = (user: string): ReturnType<typeof createNatsStore> =>
    createNatsStore({ url: `nats://${user}@${servers}?prefix=other`, node: "a" });
  await expect(open("someone:wrong")).rejects.toMatchObject({ code: "store-unavailable" });
  const store = await open("someone:p%40ss%3Aword");
  const log = await store.open("a stream.of > any *name", { retention: everything });
  expect(log.state().head).toBe(0);
  await store.close();
  const client = { user: "someone", pass: "p@ss:word" };
  await (await createNatsStore({ url: `nats://${servers}?prefix=other`, node: "a", client })).close();
});
