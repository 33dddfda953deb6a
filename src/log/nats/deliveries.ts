import { type Connection, repeat } from "./connection.ts";
import type { NatsConsumer, NatsDeliveries, NatsDelivery } from "./driver.ts";
import { storeError } from "./failure.ts";

/** A consumer of JetStream of this node's own, which keeps nothing on a disk. */
export interface OwnConsumer extends NatsConsumer {
  /** Messages that it has yet to deliver, when it was made. */
  readonly pending: number;
}

/** How long a consumer of JetStream outlives its node, in ns. */
const inactiveThreshold = 30e9;

/** What a consumer is to bring. */
export interface ConsumerOptions {
  /** Of one subject only, which may have wildcards. Default: all. */
  readonly subject?: string;
  /** Messages without their bodies. Default: false. */
  readonly headersOnly?: boolean;
}

/** Makes a consumer of the messages from `seq` on. */
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
 * Passes on what a consumer delivers; `delivered` is what it has delivered before.
 * @throws {SpillwayError} `store-unavailable`, also where a message is missing in between: a new consumer brings it again.
 */
export async function* inOrder(deliveries: NatsDeliveries, delivered: number): AsyncGenerator<NatsDelivery, void> {
  let last = delivered;
  try {
    for await (const message of deliveries) {
      if (message.info.deliverySequence !== ++last) throw new Error("a message was lost on the way");
      yield message;
    }
  } catch (error) {
    throw storeError(error);
  }
}
