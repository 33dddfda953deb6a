import type { AbstractHttpAdapter } from "@nestjs/core";
import type { RequestHandler } from "express";

/** The packages of this folder, with the types in use: types and lint are checked without these packages. */

async function load<T>(name: string): Promise<T> {
  return (await import(name)) as T;
}

type Adapter = new () => AbstractHttpAdapter;

export const { default: compression } = await load<{ default: () => RequestHandler }>("compression");
export const { default: fastifyCompress } = await load<{ default: unknown }>("@fastify/compress");
export const { ExpressAdapter } = await load<{ ExpressAdapter: Adapter }>("@nestjs/platform-express");
export const { FastifyAdapter } = await load<{ FastifyAdapter: Adapter }>("@nestjs/platform-fastify");
