/** `spillway/hono`: a gateway in a Hono application, on any runtime that runs the gateway. */
import type { Context, Env, MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import type { EmbeddedGateway } from "../../gateway/gateway.ts";
import type { HandlerOptions } from "../../http/message.ts";
import { mountOf } from "../mount.ts";

/** Options of {@link spillway}. `grant` gets the context of Hono, with what middleware has set, such as `c.var.user`. */
export interface SpillwayOptions<E extends Env> extends HandlerOptions<Context<E>> {
  /** The path below which the gateway is mounted. Default: the path of the route, up to its wildcard. */
  readonly mount?: string | undefined;
  /**
   * The client's address, for limits. Default: the connection's with `@hono/node-server`, unknown elsewhere; then the limits
   * per address do not apply.
   */
  readonly address?: ((context: Context<E>) => string | undefined) | undefined;
}

/**
 * Makes the handler that serves a gateway: `app.all("/live/*", spillway(gateway))`. Paths that are not the gateway's go to
 * the next handler.
 */
export function spillway<E extends Env = Env>(
  gateway: Pick<EmbeddedGateway, "fetch">,
  { grant, maxDuration, mount, address = connectionAddress }: SpillwayOptions<E> = {},
): MiddlewareHandler<E> {
  return async (context, next) => {
    const { raw } = context.req;
    return gateway.fetch(raw, {
      mount: mount ?? mountOf(routePath(context), new URL(raw.url).pathname),
      maxDuration,
      grant: grant && (() => grant(context)),
      address: address(context),
      body: raw.bodyUsed ? await readAgain(context) : undefined,
      notFound: async () => {
        await next();
        return context.res;
      },
    });
  };
}

/** The address of the connection that `@hono/node-server` passes on. */
function connectionAddress({ env }: Context): string | undefined {
  const { incoming } = (env ?? {}) as { readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } } };
  return incoming?.socket?.remoteAddress;
}

/** Hono keeps the bodies that are read through it. */
async function readAgain({ req }: Context): Promise<ArrayBuffer | undefined> {
  try {
    return await req.arrayBuffer();
  } catch {
    return undefined;
  }
}
