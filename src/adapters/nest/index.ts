/** `spillway/nest`: a gateway in a NestJS application, version 11 or 12, on Express or Fastify. */
export { InjectSpillway, SPILLWAY, SpillwayModule } from "./module.ts";
export type { SpillwayAsyncOptions, SpillwayGatewayOptions, SpillwayOptions, SpillwayRouteOptions } from "./options.ts";
