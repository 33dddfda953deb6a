/* oxlint-disable typescript/no-unsafe-assignment, typescript/no-unsafe-call, typescript/no-unsafe-member-access -- plain JavaScript, for a process of its own */
// Opens the database of the first argument, appends one event, and leaves without closing it. Prints "done", or the code
// of the error. With a second argument it first becomes that user.
import { createSqliteStore } from "../../../dist/log/sqlite/index.js";

const [, , path, user] = process.argv;
if (user !== undefined) process.setuid(Number(user));
try {
  const store = await createSqliteStore({ path });
  const log = await store.open("s", { retention: { age: 60_000, events: undefined, bytes: undefined } });
  await log.append([{ event: "message", data: "x", channel: undefined, upstreamId: undefined }]);
  console.log("done");
} catch (error) {
  console.log(error.code);
}
