import uws from "@trufflesuite/uws-js-unofficial";
import { Clients, followOrigin, tellReady } from "./source.js";

const clients = new Clients();
const app = uws.App();

app.get("/events", (response, request) => {
  const channel = request.getQuery("channel") ?? "";
  response.onAborted(() => clients.remove(channel, response));
  response.cork(() => {
    response.writeHeader("Content-Type", "text/event-stream").writeHeader("Cache-Control", "no-cache");
    response.write(": welcome\n\n");
  });
  clients.add(channel, response);
});

app.get("/healthz", (response) => void response.writeStatus("204 No Content").end());

await followOrigin(({ id, data, channel }) => {
  const bytes = Buffer.from(`id: ${id}\ndata: ${data}\n\n`);
  for (const client of clients.of(channel)) client.cork(() => client.write(bytes));
});

app.listen("127.0.0.1", 0, (token) => tellReady(uws.us_socket_local_port(token)));
