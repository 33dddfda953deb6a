import type { CanActivate, FactoryProvider, ModuleMetadata, Type } from "@nestjs/common";
import type { CreateGatewayConfig, GatewayRuntime } from "../../config/create-gateway.ts";
import type { EmbeddedGateway } from "../../gateway/gateway.ts";
import type { HandlerOptions } from "../../http/message.ts";

/**
 * The gateway of a module. `grant` gets the request of Express or Fastify, with what guards have added to it, such as
 * `request.user`.
 */
export interface SpillwayGatewayOptions<Request = unknown> extends Omit<HandlerOptions<Request>, "mount"> {
  /**
   * A gateway that the application has opened and closes itself, or the configuration of one, which the module opens when
   * the application is initialized, and closes after its server has stopped.
   */
  readonly gateway: EmbeddedGateway | CreateGatewayConfig;
  /** The logger and the hooks, if the module opens the gateway. */
  readonly runtime?: GatewayRuntime | undefined;
}

/** The routes of a module. */
export interface SpillwayRouteOptions {
  /** The path of the controller, without the global prefix of the application. Default: `live`. */
  readonly path?: string | undefined;
  /** Guards of the controller. Global guards apply in any case. Default: none. */
  readonly guards?: readonly (Type<CanActivate> | CanActivate)[] | undefined;
  /** Whether all modules can inject the gateway without importing the module. Default: true. */
  readonly isGlobal?: boolean | undefined;
}

/** Options of `SpillwayModule.forRoot`. */
export interface SpillwayOptions<Request = unknown> extends SpillwayGatewayOptions<Request>, SpillwayRouteOptions {}

/** Options of `SpillwayModule.forRootAsync`. */
export interface SpillwayAsyncOptions<Request = unknown> extends SpillwayRouteOptions {
  /** Modules whose providers are injected. Default: none. */
  readonly imports?: ModuleMetadata["imports"] | undefined;
  /** What the factory is called with. Default: nothing. */
  readonly inject?: FactoryProvider["inject"] | undefined;
  readonly useFactory: (
    ...dependencies: never[]
  ) => SpillwayGatewayOptions<Request> | Promise<SpillwayGatewayOptions<Request>>;
}
