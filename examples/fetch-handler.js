/**
 * A gateway as a function from `Request` to `Response`. `handle` is all that Hono, Bun, Deno or a Next.js route needs.
 *
 *     node examples/fetch-handler.js
 *     curl -N http://127.0.0.1:8080/live/streams/news
 *     npx spillway publish http://127.0.0.1:8080/live/streams/news -H 'authorization: Bearer secret' --data hello
 */
import { createServer } from "node:http";
import { promises, Readable } from "node:stream";
import { createGateway } from "spillway";

const access = { anonymous: ["subscribe", "publish"] };
const gateway = await createGateway({ store: "memory:", streams: { news: {} }, access });

async function handle(request) {
  const mayPublish = request.headers.get("authorization") === "Bearer secret";
  if (request.method === "POST" && !mayPublish) return new Response("a token is needed\n", { status: 401 });
  return gateway.fetch(request, "/live");
}

/** Calls `handle` as those frameworks do. When the client disconnects, this rejects and the subscription ends. */
async function serve(incoming, outgoing) {
  const { method, headers, url } = incoming;
  const body = method === "POST" ? Readable.toWeb(incoming) : null;
  const response = await handle(new Request(`http://${headers.host}${url}`, { method, headers, body, duplex: "half" }));
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  await promises.pipeline(Readable.fromWeb(response.body ?? new Blob().stream()), outgoing);
}

const listener = (request, response) => void serve(request, response).catch(() => response.destroy());
const server = createServer({ keepAliveTimeout: 500 }, listener).listen(Number(process.env.PORT ?? 8080), "127.0.0.1");
server.on("listening", () => console.log(`news are at http://127.0.0.1:${server.address().port}/live/streams/news`));

server.once("close", () => process.exit(0));
function stop() {
  server.close();
  void gateway.close(); // ends every subscription with spillway.bye, then their connections close
}
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, stop);
