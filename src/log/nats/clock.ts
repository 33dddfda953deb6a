import type { Queries } from "./queries.ts";
import type { NodeNames } from "./schema.ts";

/** The clock of NATS, so that those of the nodes need not agree. */
export interface Clock {
  /** The time there, in ms since 1970, or a few ms before it. */
  now(): Promise<number>;
}

/** How long this node's own clock is good for measuring on, in ms. */
const validity = 10_000;

/** Makes a clock: NATS stamps a message of this node, and the time since then is measured here. */
export function createClock(queries: Queries, names: NodeNames, node: string): Clock {
  const subject = names.clock(node);
  let read: { readonly time: number; readonly at: number } | undefined;
  let reading: Promise<void> | undefined;

  async function readAnew(): Promise<void> {
    const seq = await queries.publish({ subject, data: new Uint8Array() });
    const at = performance.now();
    const message = await queries.at(names.stream, seq);
    // Gone already if another process bears this node's name: the next one will do.
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
