import { createAccess } from "../access/access.ts";
import { createClientAddress, createHostCheck, type ClientAddress, type HostCheck } from "../access/origin.ts";
import type { Tickets } from "../access/tickets.ts";
import { createCors } from "../http/handler.ts";
import { createStaticFiles } from "../http/static-files.ts";
import type { Policy } from "../http/gateway-context.ts";
import type { Logger } from "../util/logger.ts";
import { isLoopback } from "../util/ip-address.ts";
import { createWebhook } from "../webhooks/webhook.ts";
import { dashboardOf, type GatewayOptions } from "./options.ts";

/** Creates the policy of these options. Takes over the state of the policy `before`. */
export function createPolicy(options: GatewayOptions, tickets: Tickets, logger: Logger, before?: Policy): Policy {
  const client = createClientAddress(options.trustProxy);
  const originOf: Policy["originOf"] = (request) => client.originOf(request, request.secure === true);
  const dashboard = dashboardOf(options);
  return {
    access: createAccess(options.access, {
      tickets,
      originOf,
      addressOf: client.addressOf,
      logger,
      failedCredentials: options.limits.failedCredentials,
      previous: before?.access,
      dashboard,
    }),
    cors: createCors(options.access.cors),
    limits: options.limits,
    webhooks: webhooksOf(options),
    files: options.static === undefined ? undefined : createStaticFiles(options.static),
    addressOf: client.addressOf,
    originOf,
    cookie: options.access.cookie,
    isTrusted: client.isProxied,
    checkHost: hostCheckOf(options, client),
    dashboard,
  };
}

function webhooksOf({ streams }: GatewayOptions): Policy["webhooks"] {
  const entries = Object.entries(streams).flatMap(([name, { webhook }]) => (webhook ? [[name, webhook] as const] : []));
  return new Map(entries.map(([name, webhook]) => [name, createWebhook(webhook)]));
}

/**
 * On a loopback address with open access, a request without credentials may come from a page of any site in a local
 * browser (DNS rebinding), so host names are always checked. Otherwise they are checked only if configured.
 */
function hostCheckOf({ listen, hosts, access }: GatewayOptions, { isProxied }: ClientAddress): HostCheck {
  const isOpen = access.anonymous.can.length > 0 || access.authorize !== undefined;
  if (hosts === undefined && !(isLoopback(listen.host) && isOpen)) return () => {};
  return createHostCheck({ hosts: hosts ?? [], origins: access.cors.origins, isProxied });
}
