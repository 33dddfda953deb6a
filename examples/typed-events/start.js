/**
 * A stream whose events have schemas: publishers get an error for any other, here and over HTTP.
 *
 *     node examples/typed-events/start.js
 *     curl http://127.0.0.1:8080/streams/prices/events -H 'Content-Type: application/json' \
 *       -d '{"event":"trade","data":{"symbol":"btc","price":"97250"}}'
 */
import { createGateway } from "spillway";
import { prices } from "./prices.js";

const gateway = await createGateway({
  listen: Number(process.env.PORT ?? 8080),
  store: "memory:",
  access: { anonymous: ["subscribe", "publish"] },
  streams: { prices: { definition: prices } },
});
const { host, port } = await gateway.listen();
console.log(`the prices are at http://${host}:${port}/streams/prices`);

const live = gateway.stream(prices);
const timer = setInterval(async () => {
  const price = Math.round(97_000 + Math.random() * 500);
  await live.to("asset:btc").publish("trade", { symbol: "btc", price });
}, 1000);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    clearInterval(timer);
    void gateway.close(); // also ends the loop below
  });
}

for await (const event of live.subscribe()) {
  if (event.event === "trade") console.log(event.data.symbol, event.data.price.toFixed(2));
  else if (event.event === "halt") console.log(event.data.symbol, event.data.reason);
  else console.log(event.event, event.data);
}
