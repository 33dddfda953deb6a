import httpProxy from "@fastify/http-proxy";
import Fastify from "fastify";
import { backlog, originUrl, tellReady } from "./source.js";

const app = Fastify();

app.get("/healthz", async (_request, reply) => reply.code(204).send());
// The default is 128 connections, which as many streams would keep.
const undici = { connections: 100_000, pipelining: 1, bodyTimeout: 0, headersTimeout: 0 };
await app.register(httpProxy, { upstream: new URL(originUrl).origin, undici });

await app.listen({ host: "127.0.0.1", port: 0, backlog });
tellReady(app.server.address().port);
