import { SpillwayError } from "../../errors.ts";
import type { Logger } from "../../util/logger.ts";
import { createOutage, type Outage } from "../engine/outage.ts";
import type { NatsConnection, NatsDriver, NatsJetStream, NatsManager } from "./driver.ts";
import { ConnectionLostError, requestError, storeError } from "./failure.ts";
import type { NatsLocation } from "./location.ts";

/** How long anything waits for NATS, in ms, before it is `store-unavailable`. */
export const patience = 5_000;

/** How long one request waits for its answer, in ms. */
const requestTimeout = 3_000;

/** How long one attempt to connect takes, in ms, at most: the driver does not notice a connection that ends within it. */
const connectTimeout = 2_000;

/** How often the server is asked whether it is there, in ms; two questions without an answer end the connection. */
const pingInterval = 2_000;

/** How long to wait between two attempts to connect, in ms. */
const reconnectWait = 250;

/** A connection to NATS that comes back by itself. */
export interface Connection {
  readonly driver: NatsDriver;
  readonly js: NatsJetStream;
  readonly manager: NatsManager;
  /** What is said of this connection, and of those who follow the log over it. */
  readonly outage: Outage;
  /** The largest message that the server takes, in bytes. */
  maxPayload(): number;
  /**
   * Does a request once there is a connection.
   * @throws {SpillwayError} `store-unavailable`, `store-full`, `store-closed`.
   * @throws {WrongSequenceError} as JetStream says so.
   */
  request<T>(make: () => Promise<T>): Promise<T>;
  /** Resolves once there is a connection; rejects when there has been none for {@link patience}. */
  ready(): Promise<void>;
  /** Calls back at each loss of the connection. Returns the way to stop it. */
  onLost(listener: () => void): () => void;
  /** Lets go at once; whoever waits is refused. */
  close(): Promise<void>;
}

/**
 * Connects.
 * @throws {SpillwayError} `store-unavailable`.
 */
export async function connect(
  driver: NatsDriver,
  location: NatsLocation,
  settings: Readonly<Record<string, unknown>>,
  logger: Logger,
): Promise<Connection> {
  let nats: NatsConnection | undefined;
  try {
    nats = await driver.connect({
      ...settings,
      ...location.access,
      ...options,
      servers: location.servers,
    });
    const manager = await driver.jetstreamManager(nats, { timeout: requestTimeout });
    const js = driver.jetstream(nats, { timeout: requestTimeout });
    return createConnection(driver, nats, js, manager, logger);
  } catch (error) {
    await nats?.close();
    throw storeError(error);
  }
}

const options = {
  timeout: connectTimeout,
  pingInterval,
  maxPingOut: 2,
  reconnect: true,
  maxReconnectAttempts: -1,
  reconnectTimeWait: reconnectWait,
  // A server that is being set up anew may refuse for a while.
  ignoreAuthErrorAbort: true,
  noAsyncTraces: true,
};

function createConnection(
  driver: NatsDriver,
  nats: NatsConnection,
  js: NatsJetStream,
  manager: NatsManager,
  logger: Logger,
): Connection {
  const lost = new Set<() => void>();
  const waiting = new Set<() => void>();
  const underWay = createUnderWay();
  const outage = createOutage(logger);
  let maxPayload = nats.info?.max_payload ?? 1_048_576;
  /** When the connection was lost; `undefined` while there is one. */
  let lostAt: number | undefined;
  let closed = false;

  function wake(): void {
    for (const settle of waiting) settle();
    waiting.clear();
  }

  async function follow(): Promise<void> {
    for await (const { type } of nats.status()) {
      if (closed) return;
      if (type === "disconnect" && lostAt === undefined) {
        lostAt = performance.now();
        outage.failed(nats, { reason: "the connection is lost" });
        underWay.refuse(new ConnectionLostError("the connection is lost"));
        for (const listener of lost) listener();
      } else if (type === "reconnect" && lostAt !== undefined) {
        lostAt = undefined;
        maxPayload = nats.info?.max_payload ?? maxPayload;
        outage.works(nats);
        wake();
      }
    }
  }
  void follow();

  async function ready(): Promise<void> {
    while (!closed && lostAt !== undefined) {
      const left = lostAt + patience - performance.now();
      if (left <= 0) throw new SpillwayError("store-unavailable", "there is no connection to NATS");
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        waiting.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    if (closed) throw new SpillwayError("store-closed");
  }

  async function request<T>(make: () => Promise<T>): Promise<T> {
    await ready();
    try {
      return await underWay.add(make());
    } catch (error) {
      throw requestError(error);
    }
  }

  return {
    driver,
    js,
    manager,
    outage,
    maxPayload: () => maxPayload,
    ready,
    request,
    onLost(listener) {
      lost.add(listener);
      return () => lost.delete(listener);
    },
    async close() {
      closed = true;
      underWay.refuse(new ConnectionLostError("the connection is closed"));
      wake();
      await nats.close();
    },
  };
}

/**
 * Does a request that may be done twice: again, if the connection is lost meanwhile. Errors are those of
 * {@link Connection.request}.
 */
export async function repeat<T>({ request }: Connection, make: () => Promise<T>): Promise<T> {
  const end = performance.now() + patience;
  for (;;) {
    try {
      return await request(make);
    } catch (error) {
      if (!((error as Error).cause instanceof ConnectionLostError) || performance.now() >= end) throw error;
    }
  }
}

/** Requests that wait for an answer: without a connection the driver would let them wait until their time is up. */
interface UnderWay {
  /** Resolves to the answer, unless all are refused before. */
  add<T>(answer: Promise<T>): Promise<T>;
  refuse(reason: Error): void;
}

function createUnderWay(): UnderWay {
  const refusals = new Set<(reason: Error) => void>();
  return {
    async add(answer) {
      let refuse: (reason: Error) => void = () => {};
      const refused = new Promise<never>((_, reject) => (refuse = reject));
      refusals.add(refuse);
      try {
        return await Promise.race([answer, refused]);
      } finally {
        refusals.delete(refuse);
      }
    },
    refuse(reason) {
      for (const refuse of refusals) refuse(reason);
    },
  };
}
