import type { StreamDefinition } from "../events/definition.ts";
import type { Gateway } from "../gateway/gateway.ts";
import type { GatewayStream } from "../gateway/gateway-stream.ts";

/** A gateway that may not be open yet. */
export interface OpenableGateway {
  open(): Promise<Gateway>;
  /** The gateway if it is open. */
  current(): Gateway | undefined;
}

/** Makes the handle of a stream, which opens the gateway when it is used. A stream that does not exist is an error then. */
export function createLazyStream(source: string | StreamDefinition, lazy: OpenableGateway): GatewayStream {
  const streamOf = (gateway: Gateway): GatewayStream =>
    // The types of the events are those of `TypedStream`.
    typeof source === "string" ? gateway.stream(source) : (gateway.stream(source) as unknown as GatewayStream);
  const stream = async (): Promise<GatewayStream> => streamOf(await lazy.open());

  return {
    name: typeof source === "string" ? source : source.name,
    publish: async (event, data, options) => (await stream()).publish(event, data, options),
    to: (channel) => ({
      publish: async (event, data, options) => (await stream()).to(channel).publish(event, data, options),
    }),
    async *subscribe(options) {
      yield* (await stream()).subscribe(options);
    },
    subscribers() {
      const gateway = lazy.current();
      return gateway ? streamOf(gateway).subscribers() : { total: 0, byChannel: {} };
    },
    async *clients(match) {
      yield* (await stream()).clients(match);
    },
    send: async (client, event, data) => (await stream()).send(client, event, data),
  };
}
