/**
 * Jobs whose progress can be followed from anywhere, and joined again. Each job is started once, however often it is asked for.
 *
 *     node examples/job-progress/start.js
 *     curl -NL -X POST 'http://127.0.0.1:8080/imports?file=orders.csv'
 */
import { createServer } from "node:http";
import { setTimeout } from "node:timers/promises";
import { createGateway } from "spillway";

const gateway = await createGateway({ store: "memory:", drain: "1s" });
const serve = gateway.node();

/** The job: yields its progress, and ends early when it is stopped. */
async function* importFile(file, signal) {
  for (let rows = 0; rows <= 1000; rows += 100) {
    yield { event: "progress", data: { file, rows, of: 1000 } };
    if (signal.aborted) return;
    await setTimeout(100);
  }
  yield { event: "done", data: { file } };
}

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  if (request.method !== "POST" || pathname !== "/imports") return serve(request, response);
  const file = searchParams.get("file") ?? "orders.csv";
  // The file is the key: while a job runs, another request for its file joins it.
  const run = await gateway.run({ name: "imports", key: file, afterEnd: "restart" }, (signal) =>
    importFile(file, signal),
  );
  response.writeHead(303, { location: `/runs/${run.id}` }).end();
});
await new Promise((resolve) => server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", resolve));
console.log(`imports are at http://127.0.0.1:${server.address().port}/imports`);

for (const signal of ["SIGINT", "SIGTERM"])
  process.on(signal, async () => {
    server.close();
    await gateway.close();
    server.closeAllConnections();
  });
