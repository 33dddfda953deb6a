import { Agent } from "node:http";
import express from "express";
import { createProxyMiddleware } from "http-proxy-middleware";
import { backlog, originUrl, tellReady } from "./source.js";

const app = express();
app.get("/healthz", (_request, response) => void response.writeHead(204).end());
app.use(createProxyMiddleware({ target: new URL(originUrl).origin, agent: new Agent({ keepAlive: true }) }));

const server = app.listen({ host: "127.0.0.1", port: 0, backlog }, () => tellReady(server.address().port));
