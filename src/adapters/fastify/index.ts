/** `spillway/fastify`: a gateway in a Fastify application, version 5. */
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import type { EmbeddedGateway } from "../../gateway/gateway.ts";
import type { HandlerOptions } from "../../http/message.ts";
import { leaveReply } from "../fastify-reply.ts";
import { mountOf } from "../mount.ts";

declare module "fastify" {
  interface FastifyInstance {
    /** The gateway of the plugin `spillway/fastify`; the first one if it was registered several times. */
    readonly spillway: EmbeddedGateway;
  }
}

/**
 * Options of {@link spillway}. `grant` gets the request of Fastify, with what hooks have decorated it with, such as
 * `request.user`.
 */
export interface SpillwayOptions extends Omit<HandlerOptions<FastifyRequest>, "mount"> {
  readonly gateway: EmbeddedGateway;
  /** The path below which the gateway is mounted, such as `/live`. Default: the root. */
  readonly prefix?: string | undefined;
  /** Whether the gateway is closed with the application, after it was drained. Default: false. */
  readonly closeGateway?: boolean | undefined;
}

/**
 * The plugin that serves a gateway: `app.register(spillway, { gateway, prefix: "/live" })`. Hooks that apply to its scope
 * run before it, the headers they set are sent, and paths that are not the gateway's get the 404 of the application.
 * `app.close()` drains the gateway first. `app.spillway` is the gateway. Addresses and the scheme of clients follow the
 * option `trustProxy` of the application.
 */
export const spillway: FastifyPluginAsync<SpillwayOptions> = Object.assign(register, {
  // As `fastify-plugin` does: the decorator is for the scope in which the plugin is registered.
  [Symbol.for("skip-override")]: true,
  [Symbol.for("fastify.display-name")]: "spillway",
  [Symbol.for("plugin-meta")]: { name: "spillway", fastify: "5.x" },
});

async function register(app: FastifyInstance, { prefix = "", ...options }: SpillwayOptions): Promise<void> {
  const { gateway, closeGateway = false } = options;
  if (!app.hasDecorator("spillway")) app.decorate("spillway", gateway);
  app.addHook("preClose", () => gateway.drain());
  if (closeGateway) app.addHook("onClose", () => gateway.close());
  await app.register(async (scope) => serve(scope, options), { prefix });
}

function serve(scope: FastifyInstance, { gateway, grant, maxDuration }: SpillwayOptions): void {
  // The gateway reads bodies itself, with limits of its own.
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser("*", (_request, _payload, done) => done(null));

  const handle = (request: FastifyRequest, reply: FastifyReply): void => {
    const { raw, routeOptions } = request;
    const next = (error?: unknown): void => void (error === undefined ? reply.callNotFound() : reply.send(error));
    const handler = gateway.node({
      maxDuration,
      mount: mountOf(routeOptions.url ?? "/*", pathOf(request)),
      grant: grant && (() => grant(request)),
      address: () => request.ip,
      isSecure: () => request.protocol === "https",
      beforeResponse: () => leaveReply(reply),
    });
    handler(raw, reply.raw, next);
  };
  scope.all("/", handle);
  scope.all("/*", handle);
}

function pathOf({ raw: { url = "/" } }: FastifyRequest): string {
  const end = url.indexOf("?");
  return end === -1 ? url : url.slice(0, end);
}
