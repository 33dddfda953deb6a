import { createAccess } from "../access/access.ts";
import { createClientAddress } from "../access/client-address.ts";
import type { Tickets } from "../access/tickets.ts";
import { createCors } from "../http/cors.ts";
import { createStaticFiles } from "../http/static-files.ts";
import type { Policy } from "../http/served.ts";
import type { Logger } from "../util/logger.ts";
import type { GatewayOptions } from "./options.ts";

/** Who may do what under these options, after what was so `before`. */
export function createPolicy(options: GatewayOptions, tickets: Tickets, logger: Logger, before?: Policy): Policy {
  const client = createClientAddress(options.trustProxy);
  const originOf: Policy["originOf"] = (request) => client.originOf(request, request.secure === true);
  return {
    access: createAccess(options.access, {
      tickets,
      originOf,
      addressOf: client.addressOf,
      logger,
      previous: before?.access,
    }),
    cors: createCors(options.access.cors),
    limits: options.limits,
    files: options.static === undefined ? undefined : createStaticFiles(options.static),
    addressOf: client.addressOf,
    originOf,
  };
}
