import type { Server } from "node:http";
import type { RequestHandler } from "express";
import type express from "express";
import type { FastifyPluginCallback } from "fastify";

/** The packages of this folder, with the types in use: types and lint are checked without these packages. */

async function load<T>(name: string): Promise<T> {
  return (await import(name)) as T;
}

export const { default: compression } = await load<{ default: () => RequestHandler }>("compression");
export const { default: cors } = await load<{ default: (options: { origin: string }) => RequestHandler }>("cors");
export const { default: express4 } = await load<{ default: typeof express }>("express4");
export const { default: fastifyCompress } = await load<{ default: FastifyPluginCallback<{ threshold: number }> }>(
  "@fastify/compress",
);
export const { default: fastifyCors } = await load<{ default: FastifyPluginCallback<{ origin: string }> }>(
  "@fastify/cors",
);
export const { createAdaptorServer } = await load<{
  createAdaptorServer(options: { fetch(request: Request, env: object): Response | Promise<Response> }): Server;
}>("@hono/node-server");
