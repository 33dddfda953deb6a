/**
 * A gateway in an Express app: the app publishes events, and clients subscribe to them below /live.
 *
 *     node examples/express.js
 *     curl -N http://127.0.0.1:8080/live/streams/orders
 *     curl http://127.0.0.1:8080/orders -H 'content-type: application/json' -d '{"item":"tea"}'
 */
import express from "express";
import { createGateway } from "spillway";
import { spillway } from "spillway/express";

const gateway = await createGateway({
  store: "memory:", // "sqlite:./orders.db" keeps the events across restarts
  streams: { orders: { retention: { age: "1h" } } },
});

const app = express();
app.use("/live", spillway(gateway));
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
    await gateway.drain(); // ends every subscription with spillway.bye
    server.close(async () => {
      await gateway.close(); // closes the log
      process.exit(0);
    });
  });
}
