/** `spillway/express`: a gateway in an Express application, version 4 or 5. */
import type { Request, RequestHandler } from "express";
import type { EmbeddedGateway } from "../../gateway/gateway.ts";
import type { HandlerOptions } from "../../http/message.ts";

/**
 * Options of {@link spillway}. `grant` gets the request of Express, with what middleware has added to it, such as
 * `request.user`.
 */
export type SpillwayOptions = Omit<HandlerOptions<Request>, "mount">;

/**
 * Makes the middleware that serves a gateway: `app.use("/live", spillway(gateway))`. Paths that are not the gateway's go
 * to the next handler. Addresses and the scheme of clients follow the setting `trust proxy` of the application.
 */
export function spillway(
  gateway: Pick<EmbeddedGateway, "node">,
  { grant, maxDuration }: SpillwayOptions = {},
): RequestHandler {
  return gateway.node({
    maxDuration,
    grant: grant && ((request) => grant(request as Request)),
    address: (request) => (request as Request).ip,
    isSecure: (request) => (request as Request).secure,
  });
}
