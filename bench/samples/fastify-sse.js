import sse from "@fastify/sse";
import Fastify from "fastify";
import { backlog, Clients, followOrigin, tellReady } from "./source.js";

const clients = new Clients();
const app = Fastify();

// The data is JSON already.
await app.register(sse, { serializer: String });

app.get("/events", { sse: true }, async (_request, reply) => {
  reply.sse.keepAlive();
  reply.sse.sendHeaders();
  reply.raw.flushHeaders();
  clients.add("", reply.sse);
  reply.sse.onClose(() => clients.remove("", reply.sse));
});

app.get("/healthz", async (_request, reply) => reply.code(204).send());

await followOrigin(({ id, data }) => {
  for (const client of clients.of("")) client.send({ id, data }).catch(() => {});
});

await app.listen({ host: "127.0.0.1", port: 0, backlog });
tellReady(app.server.address().port);
