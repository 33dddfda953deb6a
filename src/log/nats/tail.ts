import { backoffDelay } from "../../util/backoff.ts";
import { pause } from "../../util/pause.ts";
import type { Connection } from "./connection.ts";
import { createConsumer, inOrder } from "./deliveries.ts";
import type { NatsDeliveries, NatsDelivery } from "./driver.ts";
import type { Head } from "./head.ts";
import type { Health } from "./health.ts";
import type { LogNames } from "./schema.ts";

/** Follows a log's JetStream stream, from the last message known on, through every outage. */
export interface Tail {
  /** Resolves once nothing of it goes on. */
  stop(): Promise<void>;
}

/** How long one fetch lasts, how often the server says meanwhile that it is there, in ms; two such words may be missed. */
const fetchTime = 2_000;
const heartbeat = 1_000;

/** What one fetch brings at most: it bounds the memory of a node that catches up. */
const fetchMessages = 32;

/** Between two tries, in ms. */
const retry = { min: 50, max: 2_000 };

/** Starts the tail of a log. `onMessage` gets every message behind the head, in order, and one after the other. */
export function startTail(
  connection: Connection,
  names: LogNames,
  head: Head,
  health: Health,
  onMessage: (message: NatsDelivery) => Promise<void>,
): Tail {
  const stopped = new AbortController();
  const { signal } = stopped;
  let deliveries: NatsDeliveries | undefined;
  /** What was on its way when the connection was lost never comes. */
  let lost = false;
  const stopFetch = (): void => deliveries?.stop();
  const removeListener = connection.onLost(() => {
    lost = true;
    stopFetch();
  });
  let failures = 0;
  const { outage } = connection;

  const isDone = (): boolean => signal.aborted || head.ended !== undefined;

  /** A consumer that begins behind the head; it must deliver without a gap. */
  async function follow(): Promise<void> {
    const consumer = await createConsumer(connection, names.stream, head.seq + 1);
    outage.works(stopped);
    outage.heard(stopped);
    for (let delivered = 0; !lost && !isDone();) {
      deliveries = await consumer.fetch({ max_messages: fetchMessages, expires: fetchTime, idle_heartbeat: heartbeat });
      const before = delivered;
      for await (const message of inOrder(deliveries, delivered)) {
        delivered++;
        outage.heard(stopped);
        if (message.info.streamSequence > head.seq) await onMessage(message);
        failures = 0;
        if (lost || isDone()) return;
      }
      // Nothing may also mean that there is nothing any more.
      if (delivered === before && !lost) {
        await health.check();
        outage.heard(stopped);
      }
    }
  }

  async function run(): Promise<void> {
    while (!isDone()) {
      try {
        await connection.ready();
        lost = false;
        await health.check();
        if (!isDone()) await follow();
      } catch (err) {
        if (isDone()) break;
        failures++;
        // What was lost on the way once is had at the next try.
        if (failures > 1) outage.failed(stopped, { err });
        await pause(backoffDelay(failures, retry, 0, Math.random()), signal);
      } finally {
        stopFetch();
      }
    }
    outage.forget(stopped);
  }
  const running = run();

  return {
    async stop() {
      stopped.abort();
      removeListener();
      stopFetch();
      await running;
    },
  };
}
