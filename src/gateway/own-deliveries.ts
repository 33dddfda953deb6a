import { isDeepStrictEqual } from "node:util";
import type { DeadStream } from "../deliveries/dead-letters.ts";
import { createDelivery, type Delivery } from "../deliveries/delivery.ts";
import { journalPrefix } from "../deliveries/journal.ts";
import type { Deliveries, DeliveryOptions } from "../deliveries/options.ts";
import { unknownDelivery } from "../http/deliveries.ts";
import type { DeliveriesControl } from "../http/gateway-context.ts";
import type { DeliveryStatus } from "../http/gateway-status.ts";
import type { LogStore } from "../log/log.ts";
import { withFields, type Logger } from "../util/logger.ts";
import { createLeadership, type Leadership } from "./leadership.ts";
import { version } from "./version.ts";

/** The deliveries that this process runs, or may run when it holds their leases. */
export interface OwnDeliveries extends DeliveriesControl {
  /** Resolves when each delivery has a position, or has failed to store one and tries again. */
  start(): Promise<void>;
  /** Applies other options. A delivery that changes continues at its position. */
  apply(deliveries: Deliveries): void;
  /** Opens the logs again of the deliveries that use the lost log of this name. */
  renew(log: string): void;
  /** Ends all runs; resolves when their states are stored. */
  stop(): Promise<void>;
}

export interface DeliveriesDependencies {
  readonly store: LogStore;
  stream(name: string): DeadStream | undefined;
  /** How long a lease lasts without renewal, if nodes share the store, in ms. */
  readonly lease: number;
  readonly logger: Logger;
}

/** One delivery, with the lease that decides where it runs. */
interface OwnDelivery {
  readonly options: DeliveryOptions;
  readonly delivery: Delivery;
  status(): DeliveryStatus;
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Creates the deliveries. None runs before `start`. */
export function createOwnDeliveries(first: Deliveries, dependencies: DeliveriesDependencies): OwnDeliveries {
  const current = new Map<string, OwnDelivery>();
  /** What is being closed; a delivery of the same name starts after it. */
  const closing = new Map<string, Promise<void>>();
  let started = false;

  function add(name: string, options: DeliveryOptions): void {
    current.set(name, createOwnDelivery(name, options, dependencies));
  }

  async function begin(name: string): Promise<void> {
    await closing.get(name);
    await current.get(name)?.start();
  }

  function remove(name: string, own: OwnDelivery): void {
    current.delete(name);
    closing.set(
      name,
      Promise.all([closing.get(name), own.close()]).then(() => {}),
    );
  }

  for (const [name, options] of Object.entries(first)) add(name, options);

  return {
    async start() {
      started = true;
      await Promise.all(Array.from(current.keys(), begin));
    },
    apply(deliveries) {
      for (const [name, own] of current) if (!isDeepStrictEqual(own.options, deliveries[name])) remove(name, own);
      for (const [name, options] of Object.entries(deliveries)) {
        if (current.has(name)) continue;
        add(name, options);
        if (started) void begin(name);
      }
    },
    renew(log) {
      for (const [name, { delivery, options }] of current)
        if ([`${journalPrefix}${name}`, options.stream, options.dead].includes(log)) void delivery.renew();
    },
    status: () => Object.fromEntries(Array.from(current, ([name, own]) => [name, own.status()])),
    async command(name, command) {
      const own = current.get(name);
      if (!own) throw unknownDelivery(name);
      await own.delivery.command(command);
    },
    async stop() {
      for (const [name, own] of current) remove(name, own);
      await Promise.all(closing.values());
    },
  };
}

function createOwnDelivery(
  name: string,
  options: DeliveryOptions,
  { store, stream, lease, logger: parent }: DeliveriesDependencies,
): OwnDelivery {
  const logger = withFields(parent, { delivery: name });
  const delivery = createDelivery(name, options, {
    store,
    stream,
    fence: () => leadership?.fence,
    onLost: () => leadership?.lose(),
    version,
    logger,
  });
  const { coordination } = store;
  const running = { start: () => void delivery.start(), stop: () => delivery.stop() };
  const leadership: Leadership | undefined =
    coordination &&
    createLeadership(running, { stream: `${journalPrefix}${name}`, coordination, ttl: lease, always: true, logger });

  return {
    options,
    delivery,
    status: () => ({ ...delivery.status(), ...(leadership && { leader: leadership.fence !== undefined }) }),
    async start() {
      if (leadership) leadership.start();
      else await delivery.start();
    },
    async close() {
      await leadership?.stop();
      await delivery.close();
    },
  };
}
