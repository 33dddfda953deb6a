/** Serves a gateway with the runtime's own HTTP server: serve.js <store>. Prints its port. */
import { createGateway } from "spillway";

const gateway = await createGateway({
  store: process.argv[2],
  streams: { s: {} },
  access: { anonymous: ["subscribe", "publish", "admin"] },
});
const handle = (request) => gateway.fetch(request);
const { port } =
  "Bun" in globalThis
    ? Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 0, fetch: handle })
    : Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handle).addr;
console.log(`port ${port}`);
