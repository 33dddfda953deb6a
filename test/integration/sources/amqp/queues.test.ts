import { expect, onTestFinished, test } from "vitest";
import { startFed } from "../../../support/fed-gateway.ts";
import { throughPort } from "../../../support/ports.ts";
import { amqpUrl, openQueue } from "../../../support/rabbitmq.ts";
import { eventually } from "../../../support/reader.ts";
import { startTcpProxy } from "../../../support/tcp-proxy.ts";

test("messages of a queue become events, and are removed from it once they are stored", async () => {
  const queue = await openQueue();
  await queue.publish('{"n":1}', "m1");
  await queue.publish("plain text");
  const fed = await startFed({ url: amqpUrl, amqp: { queue: queue.name } });
  await fed.untilData(2);
  expect(fed.events).toEqual([
    { event: "message", data: '{"n":1}', channel: queue.name },
    { event: "message", data: "plain text", channel: queue.name },
  ]);
  await fed.close();
  await eventually(async () => (await queue.channel.checkQueue(queue.name)).messageCount === 0);
});

test("messages that are sent again after a broken connection are stored once", async () => {
  const queue = await openQueue();
  const proxy = await startTcpProxy(Number(new URL(amqpUrl).port || 5672));
  onTestFinished(() => proxy.close());
  const fed = await startFed({ url: throughPort(amqpUrl, proxy.port), amqp: { queue: queue.name, prefetch: 10 } });
  const all = Array.from({ length: 100 }, (_, index) => `{"n":${index + 1}}`);
  for (const [index, text] of all.entries()) {
    await queue.publish(text, `m${index}`);
    if (index % 20 === 10) proxy.reset();
  }
  await eventually(() => new Set(fed.data()).size === all.length);
  expect(fed.data()).toEqual(all);
  expect(fed.gaps()).toBe(0);
  expect(fed.status().reconnects).toBeGreaterThan(0);
});

test("invalid and large messages go to the dead-letter queue, and their neighbours are stored", async () => {
  const queue = await openQueue();
  const fed = await startFed({ url: amqpUrl, id: "/n", maxEventBytes: "1KiB", amqp: { queue: queue.name } });
  for (const text of ['{"n":1}', "not json", `{"n":2,"x":"${"x".repeat(2_000)}"}`, '{"n":3}', "{"])
    await queue.publish(text);
  await fed.untilData(2);
  expect(fed.data()).toEqual(['{"n":1}', '{"n":3}']);
  await eventually(async () => (await queue.channel.checkQueue(`${queue.name}.dead`)).messageCount === 3);
  expect(fed.status()).toMatchObject({ received: 5, refused: 3, errors: 0 });
});

test("a queue that does not exist is upstream-status, and is found when it exists", async () => {
  const queue = await openQueue();
  const name = `${queue.name}.late`;
  const backoff = { min: 5, max: 20 };
  const fed = await startFed({ url: amqpUrl, backoff, amqp: { queue: name } });
  await fed.untilError("upstream-status");
  await queue.channel.assertQueue(name);
  onTestFinished(async () => void (await queue.channel.deleteQueue(name)));
  await eventually(() => fed.status().state === "open");
});
