/* oxlint-disable typescript/no-unsafe-call, typescript/no-unsafe-member-access -- plain JavaScript, for a process of its own */
// Appends so many events (the second argument) to the database of the first, one after the other; the data of each is its number.
// Prints "done" once the last one is durable, and waits to be killed. A third argument is the umask.
import { createSqliteStore } from "../../../dist/log/sqlite/index.js";

const [, , path, count, umask] = process.argv;
if (umask !== undefined) process.umask(umask);
const store = await createSqliteStore({ path });
const log = await store.open("s", { retention: { age: undefined, events: undefined, bytes: undefined } });
for (let number = 1; number <= Number(count); number++) {
  await log.append([{ event: "message", data: String(number), channel: undefined, upstreamId: undefined }]);
}
console.log("done");
setInterval(() => {}, 1_000);
