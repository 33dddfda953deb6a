import { SpillwayError } from "../errors.ts";
import type { Gateway } from "../gateway/gateway.ts";
import { createGateway, type CreateGatewayConfig, type GatewayRuntime } from "./create-gateway.ts";

/** A gateway that its first use opens. After `close` the next use opens it again. */
export interface LazyGateway extends Pick<Gateway, "fetch" | "publish" | "subscribe" | "close"> {
  /**
   * Opens it, if it is not open, and resolves to it.
   * @throws what `createGateway` throws; the next use tries again.
   */
  open(): Promise<Gateway>;
}

/** What a lazy gateway takes from the program around it. */
export interface LazyGatewayRuntime extends GatewayRuntime {
  /** What tells the gateways of one process apart. Default: `gateway`, which is enough for one. */
  readonly name?: string | undefined;
}

interface Opened {
  readonly signature: Signature;
  readonly gateway: Promise<Gateway>;
}

/**
 * Makes a gateway for frameworks that load a module several times, or to build the application: nothing is opened, and a function that
 * gives the configuration is not called, before the first use. All that are made with the same name in one process are one; when a
 * module was changed and loaded again, the gateway of the old configuration is closed before the new one is opened. Another open store is
 * another configuration; two functions that open a store are the same one.
 */
export function createLazyGateway(
  config: CreateGatewayConfig | (() => CreateGatewayConfig),
  { name = "gateway", ...runtime }: LazyGatewayRuntime = {},
): LazyGateway {
  const all = openedGateways();
  let own: Opened | undefined;

  function open(): Promise<Gateway> {
    const current = all.get(name);
    if (current !== undefined && current === own) return own.gateway;
    return openAs(typeof config === "function" ? config() : config, current);
  }

  /** Shares the gateway that is there, or takes its place. */
  async function openAs(read: CreateGatewayConfig, current: Opened | undefined): Promise<Gateway> {
    const signature = signatureOf(read);
    if (!current || !isSame(current.signature, signature)) {
      // A module that was loaded again is used from then on; of two that take turns, each would close the other's.
      if (current && own)
        throw new SpillwayError(
          "config-invalid",
          `another lazy gateway has the name "${name}" too, with another configuration or store`,
        );
      const closing = current?.gateway.then((gateway) => gateway.close()).catch(() => {});
      const gateway = Promise.resolve(closing).then(() => createGateway(read, runtime));
      all.set(name, { signature, gateway });
      gateway.catch(() => {
        if (all.get(name)?.gateway === gateway) all.delete(name);
      });
    }
    own = all.get(name)!;
    return own.gateway;
  }

  return {
    open,
    fetch: async (request, mount) => (await open()).fetch(request, mount),
    publish: async (stream, events, options) => (await open()).publish(stream, events, options),
    async *subscribe(stream, options) {
      yield* (await open()).subscribe(stream, options);
    },
    async close() {
      const current = all.get(name);
      all.delete(name);
      own = undefined;
      await current?.gateway.then((gateway) => gateway.close());
    },
  };
}

/** What tells one configuration from another. */
interface Signature {
  readonly text: string;
  readonly store: CreateGatewayConfig["store"];
}

function signatureOf({ store, ...rest }: CreateGatewayConfig): Signature {
  return { text: JSON.stringify(rest), store };
}

/** Functions that open a store are equal: a module that is loaded again has another one, and bundlers change its text. */
function isSame(one: Signature, other: Signature): boolean {
  const isSameStore = typeof one.store === "function" ? typeof other.store === "function" : one.store === other.store;
  return isSameStore && one.text === other.text;
}

/** Those of this process. Bundlers may give each route a copy of this module, so that they are kept where all copies find them. */
function openedGateways(): Map<string, Opened> {
  const holder = globalThis as { [key: symbol]: Map<string, Opened> | undefined };
  return (holder[Symbol.for("spillway.gateways")] ??= new Map<string, Opened>());
}
