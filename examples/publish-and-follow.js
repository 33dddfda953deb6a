/**
 * Publishes to a stream and subscribes to it in the same process. Others can subscribe over HTTP.
 *
 *     node examples/publish-and-follow.js
 *     curl -N 'http://127.0.0.1:8080/streams/clock?after=earliest&channels=even'
 */
import { createGateway } from "spillway";

const gateway = await createGateway({
  listen: Number(process.env.PORT ?? 8080),
  store: "memory:",
  streams: { clock: { retention: { events: 1000 } } },
});
const { host, port } = await gateway.listen();
console.log(`the clock is at http://${host}:${port}/streams/clock`);

const timer = setInterval(async () => {
  const time = new Date();
  const channel = time.getSeconds() % 2 === 0 ? "even" : "odd";
  await gateway.publish("clock", { event: "tick", channel, data: { time } });
}, 1000);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    clearInterval(timer);
    void gateway.close(); // also ends the loop below
  });
}

for await (const { id, event, channel, data } of gateway.subscribe("clock")) {
  console.log(id, event, channel, data);
}
console.log("closed");
