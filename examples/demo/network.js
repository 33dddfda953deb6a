/** The network between the page and the gateway: a TCP relay that can be cut, as when a laptop loses its Wi-Fi. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { pipeline } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * @param {number} port The gateway's port.
 * @returns {Promise<{ origin: string, cut(duration: number): Promise<void>, close(): void }>} `cut` breaks all connections
 *   and refuses new ones for some ms.
 */
export async function startNetwork(port) {
  /** @type {Set<import("node:net").Socket>} */
  const clients = new Set();
  let cuts = 0;

  const server = createServer((client) => {
    if (cuts > 0) return client.resetAndDestroy();
    clients.add(client);
    client.once("close", () => clients.delete(client));
    // An error destroys both sides; there is nothing else to do about it.
    return pipeline(client, connect(port, "127.0.0.1"), client, () => client.destroy());
  });
  const breakAll = () => {
    for (const client of clients) client.resetAndDestroy();
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    async cut(duration) {
      cuts++;
      breakAll();
      await sleep(duration);
      cuts--;
    },
    close() {
      server.close();
      breakAll();
    },
  };
}
