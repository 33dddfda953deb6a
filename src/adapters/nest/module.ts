import { Inject, type DynamicModule, type FactoryProvider } from "@nestjs/common";
import { HttpAdapterHost } from "@nestjs/core";
import { createController, setPaths } from "./controller.ts";
import { openHost, type GatewayHost } from "./host.ts";
import type { SpillwayAsyncOptions, SpillwayGatewayOptions, SpillwayOptions, SpillwayRouteOptions } from "./options.ts";

/** The token of the gateway. Its value has the type `EmbeddedGateway`, or `Gateway` if the module has opened it. */
export const SPILLWAY: unique symbol = Symbol("spillway");

/** Injects the gateway: `constructor(@InjectSpillway() private readonly gateway: Gateway) {}`. */
export function InjectSpillway(): PropertyDecorator & ParameterDecorator {
  return Inject(SPILLWAY);
}

/** Opens a gateway with the application, serves it by a controller, and drains it before the server stops. */
// oxlint-disable-next-line typescript/no-extraneous-class -- Nest identifies modules by their classes.
export class SpillwayModule {
  /** @param options the gateway and its routes */
  static forRoot<Request = unknown>(options: SpillwayOptions<Request>): DynamicModule {
    return defineModule(options, { useFactory: () => options });
  }

  /** @param options the routes, and the factory of the gateway's options */
  static forRootAsync<Request = unknown>(options: SpillwayAsyncOptions<Request>): DynamicModule {
    const { imports = [], inject = [], useFactory } = options;
    return { ...defineModule(options, { inject, useFactory: useFactory as FactoryProvider["useFactory"] }), imports };
  }
}

function defineModule(
  { path = "live", guards = [], isGlobal = true }: SpillwayRouteOptions,
  factory: Pick<FactoryProvider, "inject" | "useFactory">,
): DynamicModule {
  const [settings, host] = [Symbol("options of spillway"), Symbol("host of spillway")];
  const controller = createController(path, guards, host);
  return {
    module: SpillwayModule,
    global: isGlobal,
    controllers: [controller],
    providers: [
      { provide: settings, ...factory },
      {
        provide: host,
        inject: [settings, HttpAdapterHost],
        useFactory(options: SpillwayGatewayOptions, { httpAdapter }: HttpAdapterHost): Promise<GatewayHost> {
          // Nest reads the paths of controllers after it has made the providers.
          setPaths(controller, httpAdapter.getType());
          return openHost(options, httpAdapter, path);
        },
      },
      { provide: SPILLWAY, inject: [host], useFactory: ({ gateway }: GatewayHost) => gateway },
    ],
    exports: [SPILLWAY],
  };
}
