/**
 * A stream that stores the items of orders instead of the orders, each in the channel of its customer.
 *
 *     node examples/transforms/start.js
 *     curl -N http://127.0.0.1:8080/streams/orders
 *     curl -H 'Content-Type: application/json' http://127.0.0.1:8080/streams/orders/events \
 *       -d '{ "data": { "customer": "ada", "items": [{ "sku": "tea", "quantity": 2 }, { "sku": "cup", "quantity": 1 }] } }'
 */
import { fileURLToPath } from "node:url";
import { createGateway } from "spillway";

const gateway = await createGateway({
  listen: Number(process.env.PORT ?? 8080),
  store: "memory:",
  streams: { orders: { transform: fileURLToPath(new URL("orders.ts", import.meta.url)) } },
  access: { anonymous: ["subscribe", "publish"] },
  drain: "1s",
});
const { host, port } = await gateway.listen();
console.log(`orders are at http://${host}:${port}/streams/orders`);

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => gateway.close());
