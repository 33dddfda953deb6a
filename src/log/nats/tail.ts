import { backoffDelay } from "../../util/backoff.ts";
import { pause } from "../../util/pause.ts";
import type { Connection } from "./connection.ts";
import { createConsumer, inOrder } from "./deliveries.ts";
import type { NatsDeliveries, NatsDelivery } from "./driver.ts";
import type { Head } from "./head.ts";
import type { Health } from "./health.ts";
import type { LogNames } from "./schema.ts";

/** Follows a log's JetStream stream from the last known message on, and resumes after every outage. */
export interface Tail {
  /** Stops the tail; resolves once it has ended. */
  stop(): Promise<void>;
}

/** Duration of one fetch, and interval of the server's heartbeats during it, in ms. Two heartbeats may be missed. */
const fetchTime = 2_000;
const heartbeat = 1_000;

/** Maximum number of messages per fetch, which limits the memory of a node that catches up. */
const fetchMessages = 32;

/** Bounds of the delay between two attempts, in ms. */
const retry = { min: 50, max: 2_000 };

/** Starts the tail of a log. `onMessage` is called for every message after the head, in order, one at a time. */
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
  /** Whether the connection was lost: messages in transit then never arrive. */
  let lost = false;
  const stopFetch = (): void => deliveries?.stop();
  const removeListener = connection.onLost(() => {
    lost = true;
    stopFetch();
  });
  let failures = 0;
  const { outage } = connection;

  const isDone = (): boolean => signal.aborted || head.ended !== undefined;

  /** Reads from a consumer that starts after the head, and must deliver without a gap. */
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
      // No messages may also mean that the stream was deleted.
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
        // A single failure, such as a lost message, is fixed by the next attempt.
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
