/**
 * A gateway whose streams come from an API that it polls, and from a WebSocket. Needs the package `ws`.
 *
 *     node examples/sources/start.js
 *     curl -N http://127.0.0.1:8080/streams/weather?after=earliest
 *     curl -N http://127.0.0.1:8080/streams/ticks?after=earliest
 */
import { createServer } from "node:http";
import { createGateway } from "spillway";
import { WebSocketServer } from "ws";

/** An API that only knows the current state, and a WebSocket that sends ticks after the number that it is asked for. */
const server = createServer((_request, response) => {
  const temperature = 20 + Math.round(Math.sin(Date.now() / 5000) * 5);
  const city = { name: "Lisbon", country: "Portugal", elevation: 2 };
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ city, temperature }));
});
const sockets = new WebSocketServer({ server });
sockets.on("connection", (socket) => {
  socket.on("message", (message) => {
    let { after } = JSON.parse(message);
    const timer = setInterval(() => socket.send(JSON.stringify({ seq: ++after, symbol: "btc-usd", price: 100 })), 500);
    socket.on("close", () => clearInterval(timer));
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const source = `127.0.0.1:${server.address().port}`;

const gateway = await createGateway({
  listen: Number(process.env.PORT ?? 8080),
  store: "memory:",
  streams: {
    weather: { upstream: { url: `http://${source}/`, poll: { every: "1s", emit: "merge-patch" } } },
    ticks: {
      upstream: {
        url: `ws://${source}/`,
        id: "/seq",
        channel: "/symbol",
        resume: { message: '{"after":{id}}', initial: 0 },
      },
    },
  },
  drain: "1s",
});
const { host, port } = await gateway.listen();
console.log(`the streams are at http://${host}:${port}/streams/weather and /streams/ticks`);

for (const signal of ["SIGINT", "SIGTERM"])
  process.on(signal, async () => {
    await gateway.close();
    for (const socket of sockets.clients) socket.terminate();
    server.close();
  });
