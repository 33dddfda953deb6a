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
  const pending = calls[+attempt.refresh]!;
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
 * @param isSpillway whether the server is known to take the position from the query too
 * @throws {ClientError} `request-failed`, or the error that a function of the options threw if it is one of the client's
 */
export async function buildRequest(
  source: StreamUrl,
  options: SubscribeOptions,
  position: string,
  refresh: boolean,
  isSpillway?: boolean,
): Promise<[url: URL, init: RequestInit & { headers: Headers }]> {
  const attempt = { refresh };
  try {
    const { channels, events, filter, start, token } = options;
    // A page, or a worker of it.
    const page = globalThis.location as Location | undefined;
    const url = new URL(await valueOf(source, attempt), page?.href);
    const headers = new Headers(await valueOf(options.headers ?? {}, attempt));
    if (token !== undefined) headers.set("authorization", `Bearer ${await valueOf(token, attempt)}`);
    if (!headers.has("accept")) headers.set("accept", "text/event-stream");
    const query: Record<string, unknown> = { channels, events, filter, ...start };
    // A header only for this would cost a preflight with each request to another origin.
    if (isSpillway && url.origin !== (page ?? url).origin && [...headers].length < 2)
      query["last-event-id"] = position || undefined;
    // Its UTF-8 bytes, as browsers send it.
    else if (position) headers.set("last-event-id", String.fromCharCode(...new TextEncoder().encode(position)));
    // Numbers and lists become text as in `String`.
    for (const name in query) if (query[name] !== undefined) url.searchParams.set(name, query[name] as string);
    // Other options are no members of a request's.
    return [url, { ...options, headers, cache: "no-store" } as RequestInit & { headers: Headers }];
  } catch (cause) {
    throw toClientError(cause, "request-failed");
  }
}
