/* oxlint-disable typescript/no-unsafe-assignment, typescript/no-unsafe-call, typescript/no-unsafe-member-access -- plain JavaScript, for a process of its own */
// Appends to the database of the first argument, as fast as it can, until it is killed: batches of 1 to 20 events whose
// data is their own number, with the last of these numbers as the upstream cursor. Prints the last number that is durable.
import { createSqliteStore } from "../../../dist/log/sqlite/index.js";

const store = await createSqliteStore({ path: process.argv[2] });
const log = await store.open("s", { retention: { age: undefined, events: 3_000, bytes: undefined } });
let next = log.state().head + 1;

async function appendForever() {
  for (;;) {
    const size = 1 + Math.floor(Math.random() * 20);
    const events = Array.from({ length: size }, (_, index) => ({
      event: "message",
      data: String(next + index),
      channel: `c${index % 3}`,
      upstreamId: undefined,
    }));
    next += size;
    const { last } = await log.append(events, { upstreamCursor: String(next - 1) });
    console.log(last);
  }
}

await Promise.all([appendForever(), appendForever(), appendForever()]);
