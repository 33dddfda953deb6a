import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAsync, type MqttClient } from "mqtt";
import type { UpstreamConfig } from "spillway";
import { expect, onTestFinished, test } from "vitest";
import { startFed } from "../../../support/fed-gateway.ts";
import { throughPort } from "../../../support/ports.ts";
import { eventually } from "../../../support/reader.ts";
import { startTcpProxy } from "../../../support/tcp-proxy.ts";

const url = process.env["TEST_MQTT_URL"] ?? "mqtt://127.0.0.1:1883";

interface Place {
  readonly topic: string;
  readonly upstream: UpstreamConfig;
  publish(suffix: string, text: string | Buffer): Promise<void>;
}

/** A topic and a session of one test. */
async function openPlace(more: UpstreamConfig = {}): Promise<Place> {
  const topic = `test/${randomUUID()}`;
  const clientId = `test-${randomUUID()}`;
  const publisher: MqttClient = await connectAsync(url, { protocolVersion: 5 });
  onTestFinished(async () => {
    await publisher.endAsync();
    // Ends the session.
    const client = await connectAsync(url, { protocolVersion: 5, clientId, clean: true });
    await client.endAsync();
  });
  return {
    topic,
    upstream: { url, mqtt: { topics: [`${topic}/+`], clientId }, ...more },
    publish: async (suffix, text) => void (await publisher.publishAsync(`${topic}/${suffix}`, text, { qos: 1 })),
  };
}

test("each message is an event, with its topic as the channel", async () => {
  const place = await openPlace({ binary: "base64" });
  const fed = await startFed(place.upstream);
  await eventually(() => fed.status().state === "open");
  // The subscription follows the connection.
  await eventually(async () => {
    await place.publish("a", "21.5");
    return fed.data().length > 0;
  });
  await place.publish("b", Buffer.from([0xff]));
  await eventually(() => fed.data().includes("/w=="));
  expect(fed.events[0]).toEqual({ event: "message", data: "21.5", channel: `${place.topic}/a` });
  expect(fed.events.at(-1)).toEqual({ event: "message", data: "/w==", channel: `${place.topic}/b` });
});

test("the broker keeps messages while the gateway is away, and a lost session is an announced gap", async () => {
  const folder = await mkdtemp(join(tmpdir(), "spillway-mqtt-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const store = `sqlite:${folder}/log.db`;
  const place = await openPlace();
  const first = await startFed(place.upstream, store);
  await eventually(async () => {
    await place.publish("a", "0");
    return first.data().length > 0;
  });
  const before = first.data().length;
  await first.close();
  // More than may wait at a time, in number and in size.
  const sent = Array.from({ length: 300 }, (_, index) => String(index + 1).padEnd(8_000));
  await Promise.all(sent.map((text) => place.publish("a", text)));
  const second = await startFed(place.upstream, store);
  await eventually(() => second.data().at(-1) === sent.at(-1));
  expect(second.data().filter((text) => text !== "0")).toEqual(sent);
  expect(second.gaps()).toBe(0);
  expect(before).toBeGreaterThan(0);
  await second.close();
  const other = {
    ...place.upstream,
    mqtt: { ...place.upstream.mqtt!, clientId: `other-${randomUUID()}`, session: "1s" },
  };
  const third = await startFed(other, store);
  await eventually(() => third.gaps() === 1);
});

test("a message is acknowledged once it is stored, and comes again after a broken connection", async () => {
  const proxy = await startTcpProxy(Number(new URL(url).port || 1883));
  onTestFinished(() => proxy.close());
  const place = await openPlace({ id: "/n" });
  const fed = await startFed({ ...place.upstream, url: throughPort(url, proxy.port) });
  await eventually(async () => {
    await place.publish("a", '{"n":0}');
    return fed.data().length > 0;
  });
  for (let n = 1; n <= 100; n++) {
    await place.publish("a", `{"n":${n}}`);
    if (n % 20 === 0) proxy.reset();
  }
  await eventually(() => fed.data().includes('{"n":100}'));
  const numbers = fed.data().map((text) => (JSON.parse(text) as { n: number }).n);
  expect(numbers.filter((n) => n > 0)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  expect(fed.gaps()).toBe(0);
  expect(fed.status().reconnects).toBeGreaterThan(0);
});

test("a message larger than maxEventBytes is dropped, and its neighbours are stored", async () => {
  const place = await openPlace({ maxEventBytes: "1KiB" });
  const fed = await startFed(place.upstream);
  await eventually(async () => {
    await place.publish("a", "before");
    return fed.data().length > 0;
  });
  await place.publish("a", "x".repeat(2_000));
  await place.publish("a", "after");
  await eventually(() => fed.data().at(-1) === "after");
  expect(new Set(fed.data())).toEqual(new Set(["before", "after"]));
  expect(fed.status()).toMatchObject({ refused: 1, errors: 0 });
});
