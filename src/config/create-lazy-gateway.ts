import { SpillwayError } from "../errors.ts";
import type { EmbeddedGateway, Gateway } from "../gateway/gateway.ts";
import type { StreamDefinition } from "../events/definition.ts";
import { createGateway, type CreateGatewayConfig, type GatewayRuntime } from "./create-gateway.ts";
import { createLazyStream } from "./lazy-stream.ts";

/** A gateway that is opened on first use, and again on the next use after `close`. */
export interface LazyGateway extends EmbeddedGateway {
  /**
   * Opens the gateway if it is not open, and resolves to it.
   * @throws what `createGateway` throws; the next use retries.
   */
  open(): Promise<Gateway>;
  /**
   * A stream with its clients, as that of an open gateway. It opens the gateway when it is used, which throws what
   * `createGateway` and `gateway.stream` throw. `subscribers()` opens nothing.
   */
  readonly stream: Gateway["stream"];
}

/** What a lazy gateway takes from the application. */
export interface LazyGatewayRuntime extends GatewayRuntime {
  /** Identifies the gateway within the process. Default: `gateway`, which is sufficient for a single one. */
  readonly name?: string | undefined;
}

interface Opened {
  readonly signature: Signature;
  readonly gateway: Promise<Gateway>;
  /** Once it is open. */
  opened?: Gateway;
}

/**
 * Makes a gateway for frameworks that load a module several times, or while building the application. Before the first
 * use, nothing is opened, and a function that returns the configuration is not called. Gateways of the same name in one
 * process are shared. After a module was changed and reloaded, the gateway of the old configuration is closed before
 * the new one is opened. A different open store counts as a different configuration; functions that open a store count
 * as equal.
 */
export function createLazyGateway(
  config: CreateGatewayConfig | (() => CreateGatewayConfig),
  { name = "gateway", ...runtime }: LazyGatewayRuntime = {},
): LazyGateway {
  const all = openedGateways();
  let own: Opened | undefined;

  /** Shares the current gateway, or replaces it. Awaits nothing, so that calls at the same time share a gateway. */
  async function open(): Promise<Gateway> {
    const current = all.get(name);
    if (current !== undefined && current === own) return own.gateway;
    const read = typeof config === "function" ? config() : config;
    const signature = signatureOf(read);
    if (!current || !isSame(current.signature, signature)) {
      // A reloaded module replaces the old one. Two modules in use at the same time would keep closing each other's
      // gateway.
      if (current && own)
        throw new SpillwayError(
          "config-invalid",
          `another lazy gateway has the same name "${name}", but a different configuration or store`,
        );
      const closing = current?.gateway.then((gateway) => gateway.close()).catch(() => {});
      const gateway = Promise.resolve(closing).then(() => createGateway(read, runtime));
      const entry: Opened = { signature, gateway };
      all.set(name, entry);
      gateway.then(
        (opened) => void (entry.opened = opened),
        () => void (all.get(name) === entry && all.delete(name)),
      );
    }
    own = all.get(name)!;
    return own.gateway;
  }

  return {
    open,
    node: (options) => (request, response, next) => {
      const fail = (): void => {
        response.statusCode = 500;
        response.setHeader("content-type", "application/problem+json");
        response.end(unopened);
      };
      open().then((gateway) => gateway.node(options)(request, response, next), next ?? fail);
    },
    fetch: async (request, options) => (await open()).fetch(request, options),
    publish: async (stream, events, options) => (await open()).publish(stream, events, options),
    run: async (options, producer) => (await open()).run(options, producer),
    async *subscribe(stream, options) {
      yield* (await open()).subscribe(stream, options);
    },
    stream: ((source: string | StreamDefinition) =>
      createLazyStream(source, { open, current: () => all.get(name)?.opened })) as Gateway["stream"],
    async drain() {
      await all.get(name)?.gateway.then((gateway) => gateway.drain());
    },
    async close() {
      const current = all.get(name);
      all.delete(name);
      own = undefined;
      await current?.gateway.then((gateway) => gateway.close());
    },
  };
}

/** The answer if the gateway cannot be opened. The reason is for the program, not for its clients. */
const unopened = JSON.stringify({ type: "about:blank", title: "internal error", status: 500, code: "internal" });

/** Identifies a configuration. */
interface Signature {
  readonly text: string;
  readonly store: CreateGatewayConfig["store"];
}

function signatureOf({ store, ...rest }: CreateGatewayConfig): Signature {
  return { text: JSON.stringify(rest), store };
}

/**
 * Functions that open a store count as equal, because a reloaded module has a new one, and bundlers change its text.
 */
function isSame(one: Signature, other: Signature): boolean {
  const isSameStore = typeof one.store === "function" ? typeof other.store === "function" : one.store === other.store;
  return isSameStore && one.text === other.text;
}

/** The gateways of this process, kept globally because bundlers may give each route a copy of this module. */
function openedGateways(): Map<string, Opened> {
  const holder = globalThis as { [key: symbol]: Map<string, Opened> | undefined };
  return (holder[Symbol.for("spillway.gateways")] ??= new Map<string, Opened>());
}
