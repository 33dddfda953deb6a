/**
 * A React page with live prices. Needs the packages `react`, `react-dom` and `esbuild`.
 *
 *     node examples/react/start.js
 */
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { createGateway } from "spillway";

const { outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL("app.jsx", import.meta.url))],
  bundle: true,
  write: false,
  format: "esm",
  jsx: "automatic",
  minify: true,
});
const page = `<!doctype html><link rel="icon" href="data:,"><title>Prices</title><main></main><script type="module" src="/app.js"></script>`;

const gateway = await createGateway({ store: "memory:", streams: { prices: {} } });
const live = gateway.node();
const server = createServer((request, response) => {
  if (request.url.startsWith("/live/")) {
    request.url = request.url.slice("/live".length);
    return live(request, response);
  }
  if (request.url === "/app.js") return response.setHeader("content-type", "text/javascript").end(outputFiles[0].text);
  response.setHeader("content-type", "text/html; charset=utf-8").end(page);
});
server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => {
  console.log(`the page is at http://127.0.0.1:${server.address().port}/`);
});

const symbols = ["btc-usd", "eth-usd", "sol-usd"];
const timer = setInterval(() => {
  const symbol = symbols[Math.floor(Math.random() * symbols.length)];
  void gateway.publish("prices", { event: "trade", data: { symbol, price: Math.round(Math.random() * 1e5) / 100 } });
}, 200);

for (const signal of ["SIGINT", "SIGTERM"])
  process.on(signal, async () => {
    clearInterval(timer);
    await gateway.close();
    server.close();
    server.closeIdleConnections();
  });
