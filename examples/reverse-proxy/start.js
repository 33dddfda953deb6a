/**
 * A gateway in front of two servers that stream to each client what belongs to it.
 *
 *     node examples/reverse-proxy/start.js
 *     curl -N -H 'Authorization: Bearer ada-3f9c1d7b2e6a4c58' http://127.0.0.1:8080/trades
 */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { createGateway } from "spillway";

/** A server of your own: one stream of trades for each request. It never sees the client's key. */
async function startServer(name) {
  const server = createServer((request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    let id = 0;
    const send = () => response.write(`id: ${++id}\ndata: ${JSON.stringify({ server: name, price: 100 + id })}\n\n`);
    send();
    const timer = setInterval(send, 1000);
    response.once("close", () => clearInterval(timer)); // the client has gone
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { name, url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

const servers = [await startServer("a"), await startServer("b")];

const hash = `sha256:${createHash("sha256").update("ada-3f9c1d7b2e6a4c58").digest("hex")}`;
const gateway = await createGateway({
  listen: Number(process.env.PORT ?? 8080),
  routes: {
    "/trades": {
      upstream: { urls: servers.map(({ name, url }) => ({ name, url })), balance: "least-requests" },
      transform: fileURLToPath(new URL("in-euros.js", import.meta.url)),
      heartbeat: "15s",
    },
  },
  access: { keys: [{ name: "ada", hash, can: ["proxy"] }] },
  drain: "1s",
});
const { host, port } = await gateway.listen();
console.log(`trades are at http://${host}:${port}/trades`);

for (const signal of ["SIGINT", "SIGTERM"])
  process.on(signal, async () => {
    await gateway.close();
    for (const server of servers) server.close();
  });
