import { Pool, type Dispatcher } from "undici";
import type { ErrorCode } from "../errors.ts";
import { parseRetryAfter } from "../upstream/retry-after.ts";
import { AddressDenied, createConnector } from "./connector.ts";
import type { DeliveryOptions } from "./options.ts";
import { createHeaders, type Webhook } from "./webhook.ts";

/** The codes of failed attempts. */
export type DeliveryErrorCode = Exclude<Extract<ErrorCode, `delivery-${string}`>, "delivery-unknown">;

/** How an attempt ended. */
export type Outcome = { readonly delivered: true } | FailedAttempt;

/** An attempt after which the endpoint is not known to have the event. */
export interface FailedAttempt {
  readonly delivered: false;
  readonly code: DeliveryErrorCode;
  /** The status of the response, if there was one. */
  readonly status: number | undefined;
  /** How long the endpoint asks the sender to wait, in ms (RFC 9110 §10.2.3). */
  readonly retryAfter: number | undefined;
}

/** The receiver of webhooks. */
export interface Endpoint {
  /** Sends an event. Attempts are numbered from 1. Never rejects. */
  send(webhook: Webhook, attempt: number): Promise<Outcome>;
  /** Closes all connections; attempts in flight fail. */
  close(): void;
}

/** Bytes of a response's body that are read, so that the connection can be used again. A longer response is cut. */
const bodyLimit = 64 * 1024;

/** How long an unused connection is kept, in ms: shorter than servers keep theirs. */
const idleLimit = 4_000;

/** The longest wait that an endpoint can ask for, in ms. */
const longestWait = 3_600_000;

/** Makes an endpoint without connections. It has at most `parallel` ones. */
export function createEndpoint(name: string, options: DeliveryOptions, version: string): Endpoint {
  const { origin, pathname, search } = new URL(options.url);
  const { timeout, allowPrivate, parallel } = options;
  const headersOf = createHeaders(name, options, version);
  const pool = new Pool(origin, {
    connect: createConnector({ timeout, allowPrivate }),
    connections: parallel,
    keepAliveTimeout: idleLimit,
    // An attempt has one timeout for everything.
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  return {
    send: (webhook, attempt) =>
      new Promise((resolve) => {
        const headers = headersOf(webhook, attempt, Date.now());
        const request = { path: pathname + search, method: "POST", headers, body: webhook.data } as const;
        pool.dispatch(request, new Attempt(timeout, resolve));
      }),
    close: () => void pool.destroy().catch(() => {}),
  };
}

/** A request to an endpoint. The status decides; the body is read up to a limit and dropped. */
class Attempt implements Dispatcher.DispatchHandler {
  readonly #resolve: (outcome: Outcome) => void;
  readonly #timer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | undefined;
  #outcome: Outcome | undefined;
  #received = 0;
  #settled = false;

  constructor(timeout: number, resolve: (outcome: Outcome) => void) {
    this.#resolve = resolve;
    this.#timer = setTimeout(() => this.#cut(failure("delivery-timeout")), timeout);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It was late before there was a connection.
    if (this.#settled) controller.abort(new Error("late"));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status >= 200) this.#outcome = outcomeOf(status, headers["retry-after"]);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#received += chunk.length;
    if (this.#received > bodyLimit) this.#cut(this.#outcome!);
  }

  onResponseEnd(): void {
    this.#settle(this.#outcome!);
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.#settle(this.#outcome ?? failure(codeOf(error)));
  }

  /** Ends the attempt, and the connection if it has one. A response whose head has arrived counts. */
  #cut(outcome: Outcome): void {
    this.#settle(this.#outcome ?? outcome);
    this.#controller?.abort(new Error("cut"));
  }

  #settle(outcome: Outcome): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#resolve(outcome);
  }
}

function outcomeOf(status: number, retryAfter: string | string[] | undefined): Outcome {
  if (status < 300) return { delivered: true };
  if (status < 400) return failure("delivery-redirect", status);
  if (status === 410) return failure("delivery-gone", status);
  const wait = parseRetryAfter([retryAfter].flat()[0], Date.now(), longestWait);
  return failure("delivery-status", status, wait);
}

function failure(code: DeliveryErrorCode, status?: number, retryAfter?: number): FailedAttempt {
  return { delivered: false, code, status, retryAfter };
}

const timeouts: ReadonlySet<unknown> = new Set(["UND_ERR_CONNECT_TIMEOUT", "ETIMEDOUT"]);

function codeOf(error: Error & { readonly code?: unknown }): DeliveryErrorCode {
  if (error instanceof AddressDenied) return "delivery-address-denied";
  return timeouts.has(error.code) ? "delivery-timeout" : "delivery-failed";
}
