/* oxlint-disable typescript/no-unsafe-assignment, typescript/no-unsafe-call, typescript/no-unsafe-member-access -- plain JavaScript, for a process of its own */
// Appends to the database of the first argument, and exits with code 3 in the midst of it.
import { createSqliteStore } from "../../../dist/log/sqlite/index.js";

const store = await createSqliteStore({ path: process.argv[2] });
const log = await store.open("s", { retention: { age: undefined, events: 500, bytes: undefined } });
const events = Array.from({ length: 500 }, () => ({
  event: "message",
  data: "x".repeat(200),
  channel: "c",
  upstreamId: "u",
}));

let left = 5 + Math.floor(Math.random() * 10);
async function appendUntilExit() {
  while (left-- > 0) await log.append(events);
  process.exit(3);
}

await Promise.all([appendUntilExit(), appendUntilExit(), appendUntilExit()]);
