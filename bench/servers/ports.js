/** Ports for programs that cannot choose one and say which. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout } from "node:timers/promises";

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}

/** Resolves to the URL of a port once it takes connections. @param {number} port */
export async function answering(port) {
  for (let attempt = 0; attempt < 200; attempt++) {
    const socket = connect(port, "127.0.0.1");
    const connected = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (connected) return `http://127.0.0.1:${port}`;
    await setTimeout(25);
  }
  throw new Error(`nothing answers on port ${port}`);
}
