import { toClientError } from "./error.ts";
import type { AttemptContext, PerAttempt, SubscribeOptions } from "./options.ts";

/** A stream's URL, relative to the page in a browser, or a function that makes it for each attempt. */
export type StreamUrl = PerAttempt<string | URL>;

/**
 * Calls under way, by function and by whether they refresh, so that many subscriptions that reconnect at once cause one
 * request for a token.
 */
const calls = [new WeakMap<object, Promise<unknown>>(), new WeakMap<object, Promise<unknown>>()] as const;

/** A value of the options for one attempt. */
function valueOf<T>(source: PerAttempt<T>, attempt: AttemptContext): T | Promise<T> {
  if (typeof source !== "function") return source;
  const make = source as (attempt: AttemptContext) => T | Promise<T>;
  const pending = calls[attempt.refresh ? 1 : 0];
  const call = (pending.get(make) as Promise<T> | undefined) ?? Promise.resolve(make(attempt));
  pending.set(make, call);
  const forget = (): unknown => pending.delete(make);
  call.then(forget, forget);
  return call;
}

/** Whether a 401 can be answered with another credential. */
export function isRefreshable(url: StreamUrl, { token, headers }: SubscribeOptions): boolean {
  return [url, token, headers].some((source) => typeof source === "function");
}

/**
 * The request of an attempt.
 * @param position the last received id, or `""`
 * @throws {ClientError} `request-failed`, or the error that a function of the options threw if it is one of the client's
 */
export async function buildRequest(
  source: StreamUrl,
  options: SubscribeOptions,
  position: string,
  refresh: boolean,
): Promise<[url: URL, init: RequestInit & { headers: Headers }]> {
  const attempt = { refresh };
  try {
    const { channels, events, filter, start, token } = options;
    const url = new URL(await valueOf(source, attempt), globalThis.location?.href);
    const query = { channels, events, filter, ...start };
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const headers = new Headers(await valueOf(options.headers ?? {}, attempt));
    if (token !== undefined) headers.set("authorization", `Bearer ${await valueOf(token, attempt)}`);
    if (!headers.has("accept")) headers.set("accept", "text/event-stream");
    // Its UTF-8 bytes, as browsers send it.
    if (position) headers.set("last-event-id", String.fromCharCode(...new TextEncoder().encode(position)));
    // Other options are no members of a request's.
    return [url, { ...options, headers, cache: "no-store" } as RequestInit & { headers: Headers }];
  } catch (cause) {
    throw toClientError(cause, "request-failed");
  }
}
