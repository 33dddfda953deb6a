import { randomUUID } from "node:crypto";
import { type ConfirmChannel, connect } from "amqplib";
import { onTestFinished } from "vitest";

/** The broker that all tests share. Do not stop or reconfigure it. */
export const amqpUrl: string = process.env["TEST_AMQP_URL"] ?? "amqp://127.0.0.1:5672";

/** A queue of one test on the shared broker. */
export interface TestQueue {
  readonly name: string;
  readonly channel: ConfirmChannel;
  /** Resolves once the broker has stored the message. */
  publish(text: string | Buffer, id?: string): Promise<void>;
}

/** Makes a durable queue, whose rejected messages go to `<name>.dead`, and deletes both after the test. */
export async function openQueue(): Promise<TestQueue> {
  const connection = await connect(amqpUrl);
  const channel = await connection.createConfirmChannel();
  const name = `spillway-test-${randomUUID()}`;
  const dead = `${name}.dead`;
  await channel.assertQueue(dead);
  await channel.assertQueue(name, { deadLetterExchange: "", deadLetterRoutingKey: dead });
  onTestFinished(async () => {
    await channel.deleteQueue(name);
    await channel.deleteQueue(dead);
    await connection.close();
  });
  return {
    name,
    channel,
    async publish(text, messageId) {
      channel.sendToQueue(name, Buffer.from(text), { persistent: true, ...(messageId !== undefined && { messageId }) });
      await channel.waitForConfirms();
    },
  };
}
