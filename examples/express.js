/**
 * A gateway in an Express app: the app publishes events, and clients subscribe to them below /live.
 *
 *     node examples/express.js
 *     curl -N http://127.0.0.1:8080/live/streams/orders
 *     curl http://127.0.0.1:8080/orders -H 'content-type: application/json' -d '{"item":"tea"}'
 */
import express from "express";
import { createGateway } from "spillway";

const gateway = await createGateway({
  store: "memory:", // "sqlite:./orders.db" keeps the events across restarts
  streams: { orders: { retention: { age: "1h" } } },
});

const app = express();
// Mount before any global body parser: the gateway reads request bodies itself.
app.use("/live", gateway.node());
app.post("/orders", express.json(), (request, response, next) => {
  const answer = ([id]) => response.status(201).json({ id });
  void gateway.publish("orders", { event: "created", data: request.body }).then(answer, next);
});

const server = app.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`orders are at http://127.0.0.1:${server.address().port}/live/streams/orders`);
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, async () => {
    server.close();
    await gateway.close(); // ends every subscription with spillway.bye and closes the log
    process.exit(0);
  });
}
