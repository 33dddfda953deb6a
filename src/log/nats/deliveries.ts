import { type Connection, repeat } from "./connection.ts";
import type { NatsConsumer, NatsDeliveries, NatsDelivery } from "./driver.ts";
import { storeError } from "./failure.ts";

/** An ephemeral JetStream consumer of this node, which is kept in memory. */
export interface OwnConsumer extends NatsConsumer {
  /** Number of messages that it had to deliver when it was created. */
  readonly pending: number;
}

/** How long an inactive consumer is kept after its node has ended, in ns. */
const inactiveThreshold = 30e9;

/** What a consumer delivers. */
export interface ConsumerOptions {
  /** Only messages of this subject, which may have wildcards. Default: all messages. */
  readonly subject?: string;
  /** Delivers messages without their bodies. Default: false. */
  readonly headersOnly?: boolean;
}

/** Creates a consumer of the messages from `seq` on. */
export async function createConsumer(
  connection: Connection,
  stream: string,
  seq: number,
  { subject, headersOnly = false }: ConsumerOptions = {},
): Promise<OwnConsumer> {
  const info = await repeat(connection, () =>
    connection.manager.consumers.add(stream, {
      deliver_policy: "by_start_sequence",
      opt_start_seq: seq,
      ack_policy: "none",
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: inactiveThreshold,
      headers_only: headersOnly,
      ...(subject !== undefined && { filter_subject: subject }),
    }),
  );
  const consumer = connection.js.consumers.getConsumerFromInfo(info);
  return { pending: info.num_pending, fetch: (options) => consumer.fetch(options), delete: () => consumer.delete() };
}

/**
 * Yields the messages that a consumer delivers; `delivered` is the number that it has delivered before.
 * @throws {SpillwayError} `store-unavailable`, also if a message is missing; a new consumer delivers it again.
 */
export async function* inOrder(deliveries: NatsDeliveries, delivered: number): AsyncGenerator<NatsDelivery, void> {
  let last = delivered;
  try {
    for await (const message of deliveries) {
      if (message.info.deliverySequence !== ++last) throw new Error("a message was not delivered");
      yield message;
    }
  } catch (error) {
    throw storeError(error);
  }
}
