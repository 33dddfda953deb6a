import { expect, test } from "vitest";
import { eventually } from "../../support/reader.ts";
import { clusterForTest } from "./cluster.ts";
import { appendSurely, contentOf, event, type Node } from "../../support/store-nodes.ts";
import { openNode } from "./nodes.ts";

test("killing the server that leads the log loses and duplicates nothing, and resets no client", async () => {
  const cluster = await clusterForTest();
  const [a, b] = [await openNode(cluster.url, "a"), await openNode(cluster.url, "b")];
  const leader = await cluster.leader("spillway_log_s");
  const acknowledged: [seq: number, data: string][] = [];
  let isKilled = false;

  async function append(node: Node, data: string): Promise<void> {
    acknowledged.push([await appendSurely(node.log, [event(data)]), data]);
  }

  async function write(node: Node, writer: number): Promise<void> {
    let count = 0;
    while (!isKilled) await append(node, `${writer}.${++count}`);
    for (let more = 0; more < 10; more++) await append(node, `${writer}.${++count}`);
  }

  const writing = Promise.all([write(a, 1), write(a, 2), write(b, 3)]);
  await eventually(() => acknowledged.length > 20, "some events");
  await leader.kill();
  isKilled = true;
  await writing;
  acknowledged.sort(([one], [other]) => one - other);
  expect(acknowledged.map(([seq]) => seq)).toEqual(acknowledged.map((_, index) => index + 1));

  // The one that was away has the events too.
  await leader.start();
  const late = await openNode(`nats://127.0.0.1:${leader.port}?replicas=3`, "c");
  for (const { log } of [a, b, late]) {
    expect((await contentOf(log)).map(({ seq, data }) => [seq, data])).toEqual(acknowledged);
  }
  for (const { seen } of [a, b]) {
    await eventually(() => seen.length >= acknowledged.length, "all events on each node");
    expect(seen).toEqual(acknowledged);
  }
  expect([a.lost, b.lost, late.lost]).toEqual([[], [], []]);
}, 60_000);
