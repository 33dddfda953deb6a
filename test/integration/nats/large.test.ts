import { onTestFinished, expect, test } from "vitest";
import type { NewEvent } from "../../../src/log/log.ts";
import { createNatsStore } from "../../../src/log/nats/index.ts";
import { openNatsPlace, withJetStream } from "../../support/nats.ts";
import { eventually } from "../../support/reader.ts";
import { contentOf, event, everything, numbers } from "../../support/store-nodes.ts";
import { openNode } from "./nodes.ts";

const megabyte = 1024 * 1024;
const hour = 60 * 60 * 1000;

/** A place on the shared server, removed with the test. */
function placeForTest(): { readonly url: string; readonly prefix: string } {
  const place = openNatsPlace();
  onTestFinished(() => place.remove());
  return place;
}

/** Messages in the JetStream stream of a log. */
function messagesOf({ url, prefix }: { readonly url: string; readonly prefix: string }): Promise<number> {
  return withJetStream(url, async ({ streams }) => (await streams.info(`${prefix}_log_s`)).state.messages);
}

test("a batch that is larger than the server's maximum message is one batch, on all nodes", async () => {
  const { url } = placeForTest();
  const [a, b] = [await openNode(url, "a"), await openNode(url, "b")];
  const batch = ["x", "ä", '"'].map((letter) => event(letter.repeat(1.5 * megabyte)));
  await Promise.all([
    a.log.append([event("before")]),
    a.log.append(batch, { upstreamCursor: "u" }),
    b.log.append([event("beside")]),
    a.log.append([event("after")]),
  ]);
  await eventually(() => b.log.state().head === 6, "all on the other node");
  const events = await contentOf(b.log);
  const first = events.findIndex(({ data }) => data === batch[0]!.data);
  expect(events.slice(first, first + 3).map(({ data }) => data)).toEqual(batch.map(({ data }) => data));
  expect(b.seen.map(([seq]) => String(seq))).toEqual(numbers(1, 6));
  expect(b.log.state().upstreamCursor).toBe("u");
});

test("a large batch that retention has partly removed is read from the correct event on", async () => {
  const { url } = placeForTest();
  const { log, store } = await openNode(url);
  await log.append([event("a".repeat(megabyte)), event("b"), event("c".repeat(megabyte))]);
  await store.open("s", { retention: { ...everything, events: 2 } });
  expect(await log.trim()).toBe(1);
  expect((await contentOf(log)).map(({ seq, data }) => [seq, data[0]])).toEqual([
    [2, "b"],
    [3, "c"],
  ]);
});

test("events that retention removes are deleted from the server, and keys after their 24 hours", async () => {
  const place = placeForTest();
  let time = Date.now();
  const store = await createNatsStore({ url: place.url, node: "a", now: () => time });
  onTestFinished(() => store.close());
  const log = await store.open("s", { retention: { ...everything, events: 0 } });
  for (const key of ["k1", "k2", "k3"]) {
    await log.append([event("x")]);
    await log.append([event("y")], { idempotency: { key, fingerprint: "f" } });
  }
  await log.trim();
  // The keys, and the record of where the log stands.
  expect(await messagesOf(place)).toBe(4);
  time += 24 * hour;
  await log.append([event("x")]);
  await log.trim();
  expect(await messagesOf(place)).toBe(1);
  expect(log.state()).toMatchObject({ head: 7, earliest: 8, events: 0, bytes: 0 });
});

test("records that only state the position of the log do not accumulate", async () => {
  const place = placeForTest();
  const { store, log } = await openNode(place.url);
  for (let turn = 0; turn < 5; turn++) {
    const lease = await store.coordination!.acquire("s", 60_000);
    await log.append([event("x")], { fence: lease!.fence });
    await lease!.release();
  }
  expect(await messagesOf(place)).toBe(6);
});

test("an upstream id is found wherever its event came from, before and after the first look-up", async () => {
  const { url } = placeForTest();
  const [a, b] = [await openNode(url, "a"), await openNode(url, "b")];
  const withId = (id: string): NewEvent => ({ ...event(id), upstreamId: id });
  await a.log.append(numbers(1, 50).map(withId));
  expect(await b.log.find({ upstreamId: "7" })).toBe(7);
  await a.log.append(numbers(51, 60).map(withId));
  await a.log.append([withId("7")]);
  expect(await b.log.find({ upstreamId: "55" })).toBe(55);
  expect([await b.log.find({ sourceId: "7" }), await b.log.find({ upstreamId: "7" })]).toEqual([61, 7]);
  expect(await b.log.find({ upstreamId: "62" })).toBeUndefined();
  // Two ids of one hash.
  const [one, other] = ["costarring", "liquid"] as const;
  await a.log.append([withId(one), withId(other)]);
  for (const [id, number] of [
    [one, 62],
    [other, 63],
  ] as const) {
    expect([await b.log.find({ sourceId: id }), await b.log.find({ upstreamId: id })]).toEqual([number, number]);
  }
});
