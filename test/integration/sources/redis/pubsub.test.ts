import { randomUUID } from "node:crypto";
import { createClient } from "@redis/client";
import { expect, onTestFinished, test } from "vitest";
import { startFed } from "../../../support/fed-gateway.ts";
import { throughPort } from "../../../support/ports.ts";
import { eventually } from "../../../support/reader.ts";
import { redisUrl } from "../../../support/redis.ts";
import { startTcpProxy, type TcpProxy } from "../../../support/tcp-proxy.ts";

interface Publisher {
  publish(channel: string, message: string): Promise<number>;
}

async function openPublisher(): Promise<Publisher> {
  const client = createClient({ url: redisUrl });
  await client.connect();
  onTestFinished(() => client.destroy());
  return client;
}

async function openProxy(): Promise<TcpProxy> {
  const proxy = await startTcpProxy(Number(new URL(redisUrl).port || 6379));
  onTestFinished(() => proxy.close());
  return proxy;
}

test("messages of channels and patterns become events, with what the asterisk stands for as their channel", async () => {
  const name = `test-${randomUUID()}`;
  const publisher = await openPublisher();
  const fed = await startFed({ url: redisUrl, redis: { subscribe: [name], psubscribe: [`${name}:*:x`] } });
  await eventually(() => fed.status().state === "open");
  await publisher.publish(name, "plain");
  await publisher.publish(`${name}:user:42:x`, '{"a":1}');
  await fed.untilData(2);
  expect(fed.events).toEqual([
    { event: "message", data: "plain", channel: null },
    { event: "message", data: '{"a":1}', channel: "user:42" },
  ]);
});

test("a cut connection is an announced gap, because Redis keeps nothing", async () => {
  const name = `test-${randomUUID()}`;
  const publisher = await openPublisher();
  const proxy = await openProxy();
  const fed = await startFed({ url: throughPort(redisUrl, proxy.port), redis: { subscribe: [name] } });
  await eventually(() => fed.status().state === "open");
  await publisher.publish(name, "1");
  await fed.untilData(1);
  proxy.refuse(true);
  proxy.reset();
  await eventually(() => fed.status().state === "waiting");
  await publisher.publish(name, "lost");
  proxy.refuse(false);
  await eventually(() => fed.status().state === "open" && fed.gaps() === 1);
  await publisher.publish(name, "2");
  await fed.untilData(2);
  expect(fed.events.map(({ event, data }) => (event === "message" ? data : event))).toEqual(["1", "spillway.gap", "2"]);
});

test("messages beyond the backlog are counted, and a gap announces their loss", async () => {
  const name = `test-${randomUUID()}`;
  const publisher = await openPublisher();
  const fed = await startFed({ url: redisUrl, redis: { subscribe: [name], backlog: "4KiB" } });
  await eventually(() => fed.status().state === "open");
  const text = "x".repeat(1_000);
  await Promise.all(Array.from({ length: 500 }, () => publisher.publish(name, text)));
  await eventually(() => fed.status().received === 500);
  await eventually(() => fed.data().length === 500 - fed.status().refused);
  expect(fed.status().refused).toBeGreaterThan(0);
  await eventually(() => fed.gaps() > 0);
  await publisher.publish(name, "after");
  await eventually(() => fed.data().includes("after"));
});

test("a dead connection is noticed by a ping", async () => {
  const proxy = await openProxy();
  const url = throughPort(redisUrl, proxy.port);
  const fed = await startFed({ url, redis: { subscribe: ["x"] }, timeouts: { idle: "600ms" } });
  await eventually(() => fed.status().state === "open");
  proxy.stall(true);
  await eventually(() => fed.status().errors > 0);
  proxy.stall(false);
  await eventually(() => fed.status().state === "open");
});
