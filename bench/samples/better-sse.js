import { createServer } from "node:http";
import { createChannel, createSession } from "better-sse";
import { backlog, followOrigin, tellReady } from "./source.js";

/** @type {Map<string, import("better-sse").Channel>} */
const channels = new Map();

/** @param {string} name */
function channelOf(name) {
  let channel = channels.get(name);
  if (!channel) channels.set(name, (channel = createChannel()));
  return channel;
}

const server = createServer(async (request, response) => {
  if (request.url === "/healthz") return response.writeHead(204).end();
  const { searchParams } = new URL(request.url ?? "/", "http://bench");
  // The data is JSON already; the library would make JSON of it once for every session.
  const session = await createSession(request, response, { serializer: String });
  channelOf(searchParams.get("channel") ?? "").register(session);
});

await followOrigin(({ id, data, channel }) => {
  channelOf(channel).broadcast(data, "message", { eventId: id });
});

server.listen({ host: "127.0.0.1", port: 0, backlog }, () => tellReady(server.address().port));
