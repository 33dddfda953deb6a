import { backoffDelay } from "../util/backoff.ts";
import { pause } from "../util/pause.ts";
import { ClientError, judge, toClientError } from "./error.ts";
import type { SubscribeOptions } from "./options.ts";
import { buildRequest, isRefreshable, type StreamUrl } from "./request.ts";

/** An event to publish. */
export interface PublishedEvent {
  /** A string is stored as it is, any other value as its JSON text. */
  readonly data: unknown;
  /** The type. Default: `message`. */
  readonly event?: string | undefined;
  readonly channel?: string | undefined;
  /** The publisher's own id. */
  readonly id?: string | undefined;
}

/** Options of {@link publish}. */
export interface PublishOptions extends Pick<
  SubscribeOptions,
  "token" | "headers" | "credentials" | "fetch" | "backoff" | "signal"
> {
  /** Makes a request that is sent again append its events once. Default: a random one for each call. */
  readonly idempotencyKey?: string | undefined;
  /** How often the request is sent at most. Default: 5. */
  readonly attempts?: number | undefined;
}

/**
 * Appends events to a stream, all or none. A request that fails is sent again with the same key, so its events are appended
 * exactly once.
 *
 * @param stream the URL of the stream, as for `subscribe`
 * @returns the ids, in the order of the events
 * @throws {ClientError} With the code `connect-failed`, `connection-lost` or `append-unknown`, it is unknown whether the events were
 * appended; with any other, they were not.
 */
export async function publish(
  stream: StreamUrl,
  events: PublishedEvent | readonly PublishedEvent[],
  options: PublishOptions = {},
): Promise<readonly string[]> {
  const { attempts = 5, idempotencyKey = randomKey(), signal = new AbortController().signal } = options;
  const bounds = { min: 1000, max: 30_000, ...options.backoff };
  let refresh = false;
  for (let failures = 1; ; failures++) {
    const result: Sent = await send(stream, JSON.stringify(events), idempotencyKey, options, refresh);
    if ("ids" in result) return result.ids;
    const refused: boolean = result.status === 401 && !refresh && isRefreshable(stream, options);
    if ((result.fatal && !refused) || failures >= attempts) throw result;
    refresh = refused;
    await pause(refused ? 0 : backoffDelay(failures, bounds, result.retryAfter ?? 0, Math.random()), signal);
    signal.throwIfAborted();
  }
}

type Sent = ClientError | { readonly ids: readonly string[] };

async function send(
  stream: StreamUrl,
  body: string,
  key: string,
  options: PublishOptions,
  refresh: boolean,
): Promise<Sent> {
  try {
    const { fetch = globalThis.fetch, signal = null } = options;
    const [url, init] = await buildRequest(stream, { ...options, method: "POST", body }, "", refresh);
    url.pathname = url.pathname.replace(/\/?$/, "/events");
    init.headers.set("accept", "application/json");
    init.headers.set("content-type", "application/json");
    init.headers.set("idempotency-key", key);
    const response = await fetch(url.href, { ...init, signal });
    const error = await judge(response, "application/json", 0, false);
    if (error) return error;
    const { ids } = (await response.json()) as { ids?: readonly string[] };
    return ids ? { ids } : new ClientError("connection-lost");
  } catch (cause) {
    options.signal?.throwIfAborted();
    return toClientError(cause, "connect-failed");
  }
}

/** `crypto.randomUUID` exists only in secure contexts. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("-");
}
