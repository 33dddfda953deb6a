import express from "express";
import { backlog, Clients, followOrigin, tellReady } from "./source.js";

/** @type {Clients<import("node:http").ServerResponse>} */
const clients = new Clients();
const app = express();

app.get("/events", (request, response) => {
  const channel = String(request.query.channel ?? "");
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
  response.write(": welcome\n\n");
  clients.add(channel, response);
  response.on("close", () => clients.remove(channel, response));
});

app.get("/healthz", (_request, response) => void response.writeHead(204).end());

await followOrigin(({ id, data, channel }) => {
  for (const client of clients.of(channel)) client.write(`id: ${id}\ndata: ${data}\n\n`);
});

const server = app.listen({ host: "127.0.0.1", port: 0, backlog }, () => tellReady(server.address().port));
