import type { Gap } from "./events.ts";

/** A value, or a function that makes it anew for each attempt. */
export type PerAttempt<T> = T | ((attempt: AttemptContext) => T | Promise<T>);

/** What a function of {@link PerAttempt} may consider. */
export interface AttemptContext {
  /** The server has refused the last credential: a stored one must not be used again. */
  readonly refresh: boolean;
}

/** Where a subscription starts if it has no cursor. Default: with the next event. */
export type StartPosition =
  /** After the event with this id, at the first event held, or at the head. */
  | { readonly after: "earliest" | "now" | (string & {}) }
  /** With the last events that pass the filter. */
  | { readonly last: number }
  /** With the first event that was stored at this time or later, as an RFC 3339 time. */
  | { readonly since: string };

/** Where the position of a subscription is stored. */
export interface CursorStore {
  /** The stored position; `undefined` or `null` if there is none. */
  load(): string | null | undefined | Promise<string | null | undefined>;
  /**
   * Stores a position. It is called at most every 250 ms, when the page is hidden, and at the end. If it throws or rejects, the
   * subscription fails with `handler-failed`.
   */
  save(cursor: string): unknown;
}

/** Options of a subscription. Those that name parts of a query are understood by Spillway only. */
export interface SubscribeOptions {
  /** Only events in these channels; `*` matches any characters. */
  readonly channels?: readonly string[] | undefined;
  /** Only events of these types. */
  readonly events?: readonly string[] | undefined;
  /** Only events that match this expression. */
  readonly filter?: string | undefined;
  readonly start?: StartPosition | undefined;

  /** Default: `GET`. Another method is not repeated unless an event with an id was received: see the guide. */
  readonly method?: string | undefined;
  /** Headers, or a function that is called for each attempt. */
  readonly headers?: PerAttempt<HeadersInit> | undefined;
  readonly body?: string | Blob | FormData | URLSearchParams | Uint8Array<ArrayBuffer> | undefined;
  readonly credentials?: RequestCredentials | undefined;
  /**
   * A bearer token, or a function that is called for each attempt. Subscriptions with the same function share a call
   * that is under way. After a 401 it is called once with `refresh: true`; a second 401 in a row is fatal.
   */
  readonly token?: PerAttempt<string> | undefined;
  /** Default: the global one. */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined;

  /**
   * Bounds of the random delay between attempts, in ms. The upper one doubles with each failure in a row. `Retry-After`
   * and the stream's `retry` raise the lower one. Default: 1,000 and 30,000.
   */
  readonly backoff?: { readonly min?: number; readonly max?: number } | undefined;
  /** How long to wait for the response headers, in ms. Default: 10,000. */
  readonly connectTimeout?: number | undefined;
  /**
   * The longest silence of the connection, in ms: after twice this time, or once it after the page was shown again or the
   * network is back, it is taken for broken. Default: what a Spillway says; with other servers, silence is no failure.
   */
  readonly heartbeat?: number | undefined;
  /**
   * How long a page may be hidden before the connection is closed until it is shown again, in ms. Default: without limit.
   */
  readonly hidden?: number | undefined;
  /** The maximum length of an event that is not complete, in characters; beyond it the subscription fails. Default: 16,777,216. */
  readonly maxEventLength?: number | undefined;

  /** Where the position is stored, such as `sessionCursor("prices")`. Default: in memory. */
  readonly cursor?: CursorStore | undefined;
  /**
   * Called where events are missing. Later events are delivered when it has settled, so it can load the current state.
   * Without it, gaps are delivered as events of the types `spillway.gap` and `spillway.reset`.
   */
  readonly onGap?: ((gap: Gap) => unknown) | undefined;
  /** Makes `data` from the text of an event. Default: its JSON value, or the text itself if it is not JSON. */
  readonly parse?: ((raw: string, type: string) => unknown) | undefined;
  /** Closes the subscription when it aborts. */
  readonly signal?: AbortSignal | undefined;
}
