import { expect, test } from "vitest";
import { locateStore } from "../../../src/log/redis/location.ts";

test("a URL names one server, its database and its keys", () => {
  expect(locateStore("redis://localhost")).toMatchObject({
    kind: "server",
    addresses: [{ host: "localhost", port: 6379 }],
    tls: false,
    username: undefined,
    password: undefined,
    database: 0,
    prefix: "spillway",
    wait: 0,
  });
  expect(locateStore("rediss://joe:a%40b@[::1]:7000/3?prefix=x&wait=2")).toMatchObject({
    addresses: [{ host: "::1", port: 7000 }],
    tls: true,
    username: "joe",
    password: "a@b",
    database: 3,
    prefix: "x",
    wait: 2,
    place: "rediss://[::1]:7000/3",
  });
  expect(locateStore("redis://:secret@h")).toMatchObject({ username: undefined, password: "secret" });
});

test("Sentinels and servers of a Cluster are listed", () => {
  expect(locateStore("redis-sentinel://a,b:7000/0?group=main")).toMatchObject({
    kind: "sentinel",
    addresses: [
      { host: "a", port: 26379 },
      { host: "b", port: 7000 },
    ],
    group: "main",
  });
  expect(locateStore("rediss-cluster://a:1,b:2")).toMatchObject({ kind: "cluster", tls: true });
});

test.each([
  "redis:",
  "redis://",
  "http://secret@localhost",
  "redis://:secret@localhost:port",
  "redis://:secret@localhost/name",
  "redis://:secret@localhost?prefx=a",
  "redis://:secret@localhost?prefix={a}",
  "redis://:secret@localhost?prefix=",
  "redis://:secret@localhost?wait=all",
])("an invalid URL is refused, and not shown: %s", (url) => {
  let error: unknown;
  try {
    locateStore(url);
  } catch (caught) {
    error = caught;
  }
  expect(error).toMatchObject({ code: "config-invalid", field: "store" });
  expect(String(error)).not.toContain("secret");
});
