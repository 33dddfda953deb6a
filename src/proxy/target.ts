import { buildConnector, Pool, type Dispatcher } from "undici";
import { SpillwayError } from "../errors.ts";
import { createSemaphore } from "../util/semaphore.ts";
import type { RouteUpstreamOptions, TargetOptions } from "./options.ts";
import { createTargetHealth, type TargetHealth } from "./target-health.ts";

/** One server behind a route, with its connections. */
export interface Target {
  readonly name: string;
  readonly url: URL;
  /** Its share of the requests, compared with the other targets. */
  readonly weight: number;
  /** Requests that it has now. */
  readonly active: number;
  /** Requests that wait because it has as many as it may have. */
  readonly waiting: number;
  /** Whether it has as many requests as it may have, and its queue is full. */
  readonly isFull: boolean;
  readonly health: TargetHealth;
  /**
   * Waits until it may have one more request; resolves to the function that ends the request.
   * @throws {SpillwayError} `target-unavailable`; the reason of `signal`.
   */
  enter(signal: AbortSignal): Promise<() => void>;
  /** Sends a request. `fresh`: over a connection that has carried no other. */
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler, fresh: boolean): void;
  /** Sends a GET request on a new connection, and resolves to the status of the answer. */
  probe(path: string, signal: AbortSignal): Promise<number>;
  /** Takes no more requests; resolves once those it has have ended, or are cut after `grace` ms. Default: they are not cut. */
  close(grace?: number): Promise<void>;
}

/** The options of a route's upstream that its targets depend on. */
export type TargetSettings = Pick<RouteUpstreamOptions, "connections" | "queue" | "timeouts" | "tls" | "http2">;

/** How long an unused connection is kept, in ms: shorter than servers keep theirs, so that it is not closed under a request. */
const idleLimit = 4_000;

/** Makes a target without a connection. */
export function createTarget(
  { name, url: text, weight }: TargetOptions,
  settings: TargetSettings,
  health: TargetHealth = createTargetHealth(),
): Target {
  const { connections, queue, timeouts, tls, http2 } = settings;
  const url = new URL(text);
  const unavailable = (what: string): SpillwayError =>
    new SpillwayError("target-unavailable", `${name}: ${what}`, { retryAfter: 1 });
  const places = createSemaphore(connections, {
    acquireTimeout: { ms: queue.for, error: () => unavailable(`no place within ${queue.for} ms`) },
  });
  const connect = endingWithRequest(buildConnector({ ...tls, timeout: timeouts.connect, allowH2: http2 }));
  // The relay has timeouts of its own.
  const common = { connect, allowH2: http2, headersTimeout: 0, bodyTimeout: 0, connections: null };
  const pool = new Pool(url.origin, { ...common, keepAliveTimeout: idleLimit });
  let fresh: Pool | undefined;
  const freshPool = (): Pool => (fresh ??= new Pool(url.origin, { ...common, pipelining: 0 }));
  let [active, waiting] = [0, 0];
  // Both together, because a request is counted as waiting for a moment even when there is a place.
  const isFull = (): boolean => active + waiting >= connections + queue.length;

  return {
    name,
    url,
    weight,
    get active() {
      return active;
    },
    get waiting() {
      return waiting;
    },
    get isFull() {
      return isFull();
    },
    health,
    async enter(signal) {
      if (isFull()) throw unavailable("all places and the queue are taken");
      waiting++;
      const leave = await places.acquire(signal).finally(() => waiting--);
      active++;
      return () => {
        active--;
        leave();
      };
    },
    dispatch(options, handler, isFresh) {
      (isFresh ? freshPool() : pool).dispatch(options, handler);
    },
    async probe(path, signal) {
      const { statusCode, body } = await freshPool().request({ path, method: "GET", signal });
      await body.dump().catch(() => {});
      return statusCode;
    },
    async close(grace) {
      const pools = fresh ? [pool, fresh] : [pool];
      const cut = (): void => pools.forEach((each) => void each.destroy());
      const timer = grace === undefined ? undefined : setTimeout(cut, grace);
      await Promise.all(pools.map((each) => each.close().catch(() => {})));
      clearTimeout(timer);
    },
  };
}

/**
 * When a request is aborted, undici closes its connection and then opens another one for it, of no use. It does not
 * where the connection ends with any other error than its own.
 */
function endingWithRequest(connect: buildConnector.connector): buildConnector.connector {
  return (options, callback) =>
    connect(options, (...result) => {
      const [, socket] = result;
      if (socket) {
        const destroy = socket.destroy.bind(socket);
        socket.destroy = (error) => destroy(error?.message === "aborted" ? new Error("aborted") : error);
      }
      callback(...result);
    });
}
