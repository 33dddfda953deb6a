import { SpillwayError } from "../../errors.ts";
import type { Logger } from "../../util/logger.ts";
import { createOutage, type Outage } from "../engine/outage.ts";
import type { NatsConnection, NatsDriver, NatsJetStream, NatsManager } from "./driver.ts";
import { ConnectionLostError, requestError, storeError } from "./failure.ts";
import type { NatsLocation } from "./location.ts";

/** How long an operation waits for NATS before it fails with `store-unavailable`, in ms. */
export const patience = 5_000;

/** Timeout of one request, in ms. */
const requestTimeout = 3_000;

/**
 * Timeout of one attempt to connect, in ms. The driver does not notice a connection that is lost during the attempt.
 */
const connectTimeout = 2_000;

/** Interval between pings to the server, in ms; after two without an answer, the connection is closed. */
const pingInterval = 2_000;

/** Delay between two attempts to connect, in ms. */
const reconnectWait = 250;

/** A connection to NATS that reconnects automatically. */
export interface Connection {
  readonly driver: NatsDriver;
  readonly js: NatsJetStream;
  readonly manager: NatsManager;
  /** Reports outages of this connection, and of the tails that use it. */
  readonly outage: Outage;
  /** The largest message that the server accepts, in bytes. */
  maxPayload(): number;
  /**
   * Makes a request once the connection is up.
   * @throws {SpillwayError} `store-unavailable`, `store-full`, `store-closed`.
   * @throws {WrongSequenceError} if JetStream reports it.
   */
  request<T>(make: () => Promise<T>): Promise<T>;
  /** Resolves once the connection is up; rejects if it has been down for {@link patience}. */
  ready(): Promise<void>;
  /** Calls the listener whenever the connection is lost. Returns the function that removes the listener. */
  onLost(listener: () => void): () => void;
  /** Closes the connection at once; pending requests are rejected. */
  close(): Promise<void>;
}

/**
 * Connects to NATS.
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
  // A server that is being reconfigured may refuse the credentials for a while.
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
  /** When the connection was lost; `undefined` while it is up. */
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
        outage.failed(nats, { reason: "the connection was lost" });
        underWay.refuse(new ConnectionLostError("the connection was lost"));
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
      if (left <= 0) throw new SpillwayError("store-unavailable", "not connected to NATS");
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
 * Makes an idempotent request, and repeats it if the connection was lost meanwhile. Errors are those of
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

/** Pending requests. After a loss of the connection, the driver would only reject them when they time out. */
interface UnderWay {
  /** Resolves to the answer, or rejects when all pending requests are refused. */
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
