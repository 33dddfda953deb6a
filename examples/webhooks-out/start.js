/**
 * A gateway that sends the orders published to it to an endpoint, which verifies the signature.
 *
 *     node examples/webhooks-out/start.js
 *     curl -d '{"event":"order.paid","data":{"total":3}}' -H 'content-type: application/json' \
 *       http://127.0.0.1:8080/streams/orders/events
 */
import { randomBytes } from "node:crypto";
import { createGateway } from "spillway";
import { startReceiver } from "./receiver.js";

const secret = `whsec_${randomBytes(32).toString("base64")}`;
const receiver = await startReceiver(secret);

const gateway = await createGateway({
  listen: Number(process.env.PORT ?? 8080),
  store: "memory:",
  streams: { "orders": {}, "orders-dead": {} },
  deliveries: {
    billing: {
      stream: "orders",
      url: receiver.url,
      events: ["order.*"],
      sign: { secret },
      allowPrivate: true, // the endpoint is on this machine
      dead: "orders-dead",
    },
  },
  access: { anonymous: ["subscribe", "publish", "admin"] },
  drain: "1s",
});
const { host, port } = await gateway.listen();
console.log(`publish orders to http://${host}:${port}/streams/orders`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, async () => {
    await gateway.close();
    receiver.close();
  });
}
