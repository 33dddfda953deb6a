// Appends two events, one after the other, and says so: a node in a process of its own, which can be stopped.
import { createMysqlStore } from "../../../dist/log/mysql/index.js";

const store = await createMysqlStore({ url: process.argv[2], node: "silent" });
const log = await store.open("s", { retention: {} });
for (const data of ["1", "2"]) {
  await log.append([{ event: "message", data, channel: undefined, upstreamId: undefined }]);
  console.log(`appended ${data}`);
}
await store.close();
