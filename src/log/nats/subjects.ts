import type { Connection } from "./connection.ts";
import { createConsumer, inOrder, type OwnConsumer } from "./deliveries.ts";
import type { LogNames } from "./schema.ts";

/** Number of messages per fetch, and how long a fetch may take, in ms. */
const fetchMessages = 512;
const fetchTime = 3_000;

/** The subjects of the messages with events before the message `end`, in order. */
export async function subjectsBefore(connection: Connection, names: LogNames, end: number): Promise<string[]> {
  const subjects: string[] = [];
  const consumer = await createConsumer(connection, names.stream, 1, { subject: names.batches, headersOnly: true });
  try {
    while (subjects.length < consumer.pending) {
      const found = await fetchSubjects(connection, consumer, subjects.length, end);
      subjects.push(...found);
      // Either `end` is reached, or the connection was lost; then the next call gets the rest.
      if (found.length < Math.min(fetchMessages, consumer.pending)) break;
    }
    return subjects;
  } finally {
    // If this fails, the server removes the inactive consumer.
    consumer.delete().catch(() => {});
  }
}

async function fetchSubjects(
  connection: Connection,
  consumer: OwnConsumer,
  delivered: number,
  end: number,
): Promise<string[]> {
  const subjects: string[] = [];
  const count = Math.min(consumer.pending - delivered, fetchMessages);
  const deliveries = await consumer.fetch({ max_messages: count, expires: fetchTime, idle_heartbeat: fetchTime / 2 });
  // Otherwise the driver would wait for the rest until it is connected again.
  const removeListener = connection.onLost(() => deliveries.stop());
  try {
    for await (const { info, subject } of inOrder(deliveries, delivered)) {
      if (info.streamSequence >= end) break;
      subjects.push(subject);
    }
    return subjects;
  } finally {
    removeListener();
    deliveries.stop();
  }
}
