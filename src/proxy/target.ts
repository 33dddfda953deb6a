import type { Dispatcher } from "undici";
import { SpillwayError } from "../errors.ts";
import { createHttp1Client } from "../http1/client.ts";
import type { Http1Request } from "../http1/request-head.ts";
import { createSemaphore } from "../util/semaphore.ts";
import { createHttp2Client } from "./http2-client.ts";
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
  /** Takes one more request, which must {@link Target.leave}; false if it has as many as it may have. */
  tryEnter(): boolean;
  /**
   * Waits until it may have one more request.
   * @throws {SpillwayError} `target-unavailable`; the reason of `signal`.
   */
  enter(signal: AbortSignal): Promise<void>;
  /** A request has ended. To be called once for each that has entered. */
  leave(): void;
  /** Sends a request. `fresh`: over a connection that has carried no other. */
  dispatch(request: Http1Request, handler: Dispatcher.DispatchHandler, fresh: boolean): void;
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
  const createClient = http2 ? createHttp2Client : createHttp1Client;
  const client = createClient(url, { connectTimeout: timeouts.connect, idleTimeout: idleLimit, tls });
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
    tryEnter() {
      const isFree = places.tryAcquire();
      if (isFree) active++;
      return isFree;
    },
    async enter(signal) {
      if (isFull()) throw unavailable("all places and the queue are taken");
      waiting++;
      await places.acquire(signal).finally(() => waiting--);
      active++;
    },
    leave() {
      active--;
      places.release();
    },
    dispatch: (request, handler, fresh) => client.dispatch(request, handler, fresh),
    probe: (path, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
        const request = { path, method: "GET", headers: [], body: null, reset: true };
        client.dispatch(request, new Probe(signal, resolve, reject), true);
      }),
    async close(grace) {
      const timer = grace === undefined ? undefined : setTimeout(() => client.destroy(), grace);
      await client.close();
      clearTimeout(timer);
    },
  };
}

/** Waits for the status of a response, and closes its connection. */
class Probe implements Dispatcher.DispatchHandler {
  readonly #signal: AbortSignal;
  readonly #resolve: (status: number) => void;
  readonly #reject: (error: Error) => void;

  constructor(signal: AbortSignal, resolve: (status: number) => void, reject: (error: Error) => void) {
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const abort = (): void => controller.abort(this.#signal.reason as Error);
    if (this.#signal.aborted) abort();
    else this.#signal.addEventListener("abort", abort);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return;
    this.#resolve(status);
    controller.abort(new Error("the status is known"));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#reject(error);
  }
}
