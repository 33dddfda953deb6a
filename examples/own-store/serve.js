/**
 * A gateway on a store of your own.
 *
 *     node examples/own-store/serve.js
 *     curl -N 'http://127.0.0.1:8080/streams/orders?after=earliest'
 *     npx spillway publish http://127.0.0.1:8080/streams/orders --data tea
 */
import { createGateway } from "spillway";
import { createArrayStore } from "./array-store.js";

const gateway = await createGateway({
  listen: Number(process.env.PORT ?? 8080),
  store: ({ logger }) => createArrayStore({ logger }), // the gateway closes the store that this opens
  streams: { orders: { retention: { events: 1000 } } },
  access: { anonymous: ["subscribe", "publish"] },
});
const { host, port } = await gateway.listen();
console.log(`orders are at http://${host}:${port}/streams/orders`);

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => void gateway.close());
