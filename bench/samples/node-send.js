/** No HTTP server, no `net.Socket` for its writes, no log and no checks: what is left is the system call, and Node.js around it. */
import { createServer } from "node:net";
import { backlog, followOrigin, tellReady } from "./source.js";

// Below Node's sockets there is no public way to write: `spillway` goes the same one (src/adapters/raw/tcp-handle.ts).
const { WriteWrap, streamBaseState, kLastWriteWasAsync } = /** @type {any} */ (process).binding("stream_wrap");

/** For the next write; one that is queued keeps its own. */
let spare = new WriteWrap();

const head =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache, no-transform\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n:\n\n\r\n";

/** @type {Set<any>} */
const handles = new Set();

const server = createServer({ noDelay: true }, (socket) => {
  const { _handle: handle } = /** @type {any} */ (socket);
  // The request is not looked at: whoever connects gets the stream.
  socket.once("data", () => socket.write(head, () => handles.add(handle)));
  socket.on("error", () => {});
  socket.on("close", () => handles.delete(handle));
});

await followOrigin(({ id, data }) => {
  const event = `id: 0123456789.${id}\ndata: ${data}\n\n`;
  const chunk = Buffer.from(`${event.length.toString(16)}\r\n${event}\r\n`);
  for (const handle of handles) {
    handle.writeBuffer(spare, chunk);
    if (streamBaseState[kLastWriteWasAsync] === 0) continue;
    spare.chunk = chunk;
    spare = new WriteWrap();
  }
});

server.listen({ host: "127.0.0.1", port: 0, backlog }, () =>
  tellReady(/** @type {import("node:net").AddressInfo} */ (server.address()).port),
);
