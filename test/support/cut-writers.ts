import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { Log } from "../../src/log/log.ts";
import { contentOf, eventsOf, follow, numbersTo, untilDone } from "./store-nodes.ts";
import { eventually } from "./reader.ts";
import type { TcpProxy } from "./tcp-proxy.ts";

/** Batches of each writer: with none, one, two and three events in turn. */
const rounds = 60;

/**
 * Two of three nodes write, each with two callers that retry what failed, with a token, while the connections of all are
 * cut; the third one only follows. Every event is in the log once, and every node hears of all in order.
 */
export async function expectOnceUnderCuts(logs: readonly Log[], proxies: readonly TcpProxy[]): Promise<void> {
  const heard = logs.map(follow);
  let cutting = true;
  const cuts = (async () => {
    while (cutting) {
      const proxy = proxies[Math.floor(Math.random() * proxies.length)]!;
      if (Math.random() < 0.5) proxy.cut();
      else proxy.reset();
      await delay(Math.random() * 60);
    }
  })();

  const writers = [0, 0, 1, 1].map(async (node, writer) => {
    for (let round = 0; round < rounds; round++) {
      const data = numbersTo(round % 4).map((number) => `${writer}.${round}.${number}`);
      const batch = eventsOf(...data);
      const options = { upstreamCursor: `${writer}.${round}`, retryToken: {} };
      await untilDone(() => logs[node]!.append(batch, options));
    }
  });
  await Promise.all(writers);
  cutting = false;
  await cuts;

  const total = 4 * (rounds / 4) * (1 + 2 + 3);
  for (const events of heard) {
    await eventually(() => events.length >= total);
    expect(events.map(({ seq }) => seq)).toEqual(numbersTo(total));
  }
  const stored = await untilDone(() => contentOf(logs[2]!));
  expect(new Set(stored.map(({ data }) => data)).size).toBe(total);
  expect(heard[2]).toEqual(stored);
}
