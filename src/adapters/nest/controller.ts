import type { IncomingMessage, ServerResponse } from "node:http";
import {
  All,
  Controller,
  Inject,
  NotFoundException,
  Req,
  Res,
  UseGuards,
  type CanActivate,
  type Type,
} from "@nestjs/common";
import { leaveReply, type Reply } from "../fastify-reply.ts";
import { mountOf } from "../mount.ts";
import type { GatewayHost } from "./host.ts";
import type { FrameworkRequest } from "./request.ts";

/** Makes the class of the controller that serves a gateway. Guards and the application's middleware run before it. */
export function createController(
  path: string,
  guards: readonly (Type<CanActivate> | CanActivate)[],
  host: symbol,
): Type {
  class SpillwayController {
    readonly #host: GatewayHost;

    constructor(own: GatewayHost) {
      this.#host = own;
    }

    /** Settles when the gateway is about to answer. */
    handle(request: FrameworkRequest, response: ServerResponse | Reply): Promise<void> {
      return answer(this.#host, request, response);
    }
  }
  // What decorators do, which need no compiler option this way.
  const { prototype } = SpillwayController;
  Req()(prototype, "handle", 0);
  Res()(prototype, "handle", 1);
  Inject(host)(SpillwayController, undefined, 0);
  UseGuards(...guards)(SpillwayController);
  Controller(path)(SpillwayController);
  return SpillwayController;
}

/** Sets the paths of the controller. The routers of Express and Fastify write a wildcard in different ways. */
export function setPaths({ prototype }: Type, adapter: string): void {
  const paths = ["", adapter === "fastify" ? "*" : "*path"];
  All(paths)(prototype as object, "handle", Object.getOwnPropertyDescriptor(prototype, "handle")!);
}

function answer(
  { gateway, options: { grant, maxDuration } }: GatewayHost,
  request: FrameworkRequest,
  response: ServerResponse | Reply,
): Promise<void> {
  const { raw, body, rawBody } = request;
  // Fastify keeps what it has parsed in its own request.
  const message = raw ? Object.assign(raw, { body, rawBody }) : (request as unknown as IncomingMessage);
  return new Promise((resolve, reject) => {
    const handler = gateway.node({
      maxDuration,
      mount: mountOf(routeOf(request), request.url.split("?")[0]!),
      grant: grant && (() => grant(request)),
      address: () => request.ip,
      isSecure: () => request.protocol === "https",
      beforeResponse() {
        if ("hijack" in response) leaveReply(response);
        resolve();
      },
    });
    const notFound = (): NotFoundException => new NotFoundException(`Cannot ${request.method} ${request.url}`);
    const next = (error?: unknown): void => reject((error as Error | undefined) ?? notFound());
    handler(message, "hijack" in response ? response.raw : response, next);
  });
}

/** The path of the route, with `*` for its wildcard. */
function routeOf({ route, routeOptions }: FrameworkRequest): string {
  return (routeOptions?.url ?? route?.path ?? "").replace(/\*\w*$/, "*");
}
