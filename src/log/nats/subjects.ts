import type { Connection } from "./connection.ts";
import { createConsumer, inOrder, type OwnConsumer } from "./deliveries.ts";
import type { LogNames } from "./schema.ts";

/** Messages that are asked for at once, and how long they may take, in ms. */
const fetchMessages = 512;
const fetchTime = 3_000;

/** The subjects of the messages with events that lie before the message `end`, in order. */
export async function subjectsBefore(connection: Connection, names: LogNames, end: number): Promise<string[]> {
  const subjects: string[] = [];
  const consumer = await createConsumer(connection, names.stream, 1, { subject: names.batches, headersOnly: true });
  try {
    while (subjects.length < consumer.pending) {
      const found = await fetchSubjects(connection, consumer, subjects.length, end);
      subjects.push(...found);
      // Its end, or a connection that was lost: the rest is for the next time.
      if (found.length < Math.min(fetchMessages, consumer.pending)) break;
    }
    return subjects;
  } finally {
    // Otherwise it goes by itself.
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
  // The driver would wait for the rest until there is a connection again.
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
