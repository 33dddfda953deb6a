import type { Queries } from "./queries.ts";
import type { NodeNames } from "./schema.ts";

/** The clock of the NATS server, so that the nodes' clocks need not agree. */
export interface Clock {
  /** The server's time, in ms since 1970, at most a few ms slow. */
  now(): Promise<number>;
}

/** How long the time since the last reading is measured by this node's own clock, in ms. */
const validity = 10_000;

/** Makes a clock: reads the timestamp of a message that this node stores, and measures the time since then locally. */
export function createClock(queries: Queries, names: NodeNames, node: string): Clock {
  const subject = names.clock(node);
  let read: { readonly time: number; readonly at: number } | undefined;
  let reading: Promise<void> | undefined;

  async function readAnew(): Promise<void> {
    const seq = await queries.publish({ subject, data: new Uint8Array() });
    const at = performance.now();
    const message = await queries.at(names.stream, seq);
    // Missing if another process with the same node name has replaced it; the caller then reads again.
    if (message) read = { time: message.time, at };
  }

  return {
    async now() {
      for (;;) {
        if (read && performance.now() - read.at < validity) return read.time + performance.now() - read.at;
        await (reading ??= readAnew().finally(() => (reading = undefined)));
      }
    },
  };
}
