import {
  UnsupportedMediaTypeException,
  type BeforeApplicationShutdown,
  type OnApplicationShutdown,
  type OnModuleInit,
} from "@nestjs/common";
import { createGateway } from "../../config/create-gateway.ts";
import type { EmbeddedGateway } from "../../gateway/gateway.ts";
import type { SpillwayGatewayOptions } from "./options.ts";
import type { FrameworkRequest } from "./request.ts";

/** The gateway of an application, with what Nest calls when the application starts and stops. */
export interface GatewayHost extends OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly options: SpillwayGatewayOptions;
  readonly gateway: EmbeddedGateway;
}

/** The parts of Nest's adapter that are used. */
interface HttpAdapter {
  getType(): string;
  getInstance(): unknown;
}

/** The part of Fastify that is used. */
interface Fastify {
  hasContentTypeParser(type: string): boolean;
  addContentTypeParser(
    type: string,
    parser: (request: FrameworkRequest, payload: unknown, done: (error: Error | null) => void) => void,
  ): void;
}

/** Opens the gateway, unless the application has opened it. */
export async function openHost(
  options: SpillwayGatewayOptions,
  adapter: HttpAdapter,
  path: string,
): Promise<GatewayHost> {
  const { gateway: given, runtime } = options;
  const opened = isOpen(given) ? undefined : await createGateway(given, runtime);
  const gateway = opened ?? (given as EmbeddedGateway);
  return {
    options,
    gateway,
    onModuleInit() {
      if (adapter.getType() === "fastify") leaveBodies(adapter.getInstance() as Fastify, path);
    },
    // Nest closes its server next, which waits for open responses.
    beforeApplicationShutdown: () => gateway.drain(),
    onApplicationShutdown: () => opened?.close(),
  };
}

function isOpen(given: SpillwayGatewayOptions["gateway"]): given is EmbeddedGateway {
  return "fetch" in given;
}

/** The paths of the modules of an application. */
const pathsOf = new WeakMap<Fastify, string[]>();

/** Fastify refuses bodies of types that it has no parser for. Those for the gateway are left to it. */
function leaveBodies(fastify: Fastify, path: string): void {
  const paths = pathsOf.get(fastify);
  if (paths) return void paths.push(path);
  if (fastify.hasContentTypeParser("*")) return;
  const own = [path];
  pathsOf.set(fastify, own);
  fastify.addContentTypeParser("*", ({ routeOptions }, _payload, done) => {
    const route = `${routeOptions?.url ?? ""}/`;
    done(own.some((each) => route.includes(`/${each}/`)) ? null : new UnsupportedMediaTypeException());
  });
}
