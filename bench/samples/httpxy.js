import { Agent, createServer } from "node:http";
import { createProxyServer } from "httpxy";
import { backlog, originUrl, tellReady } from "./source.js";

const proxy = createProxyServer({ target: new URL(originUrl).origin, agent: new Agent({ keepAlive: true }) });

const server = createServer((request, response) => {
  if (request.url === "/healthz") response.writeHead(204).end();
  else proxy.web(request, response).catch(() => response.destroy());
});

server.listen({ host: "127.0.0.1", port: 0, backlog }, () => tellReady(server.address().port));
