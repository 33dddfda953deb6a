import { ClientError, judge } from "./error.ts";
import type { AttemptContext, SubscribeOptions } from "./options.ts";
import { buildRequest } from "./request.ts";

/** What a ticket is for, and how to ask for it. */
export interface TicketOptions extends Pick<SubscribeOptions, "token" | "headers" | "credentials" | "fetch"> {
  /** The name of the stream. */
  readonly stream: string;
  /** Only these channels. Default: all that are granted. */
  readonly channels?: readonly string[] | undefined;
  /** Only events that match this expression. */
  readonly filter?: string | undefined;
}

/** How long a ticket may take to arrive, in ms. */
const timeout = 10_000;

/** How long before a ticket expires another one is fetched, in ms. */
const margin = 10_000;

/**
 * A URL for `subscribe` whose ticket is fetched from `POST /tickets`, used for as long as it is valid, and fetched anew when it has
 * expired or was refused. A ticket serves one subscription at a time, so each needs a function of its own.
 *
 * @param endpoint the URL of `/tickets`, or of your own endpoint that answers in the same way
 */
export function ticketUrl(
  endpoint: string | URL,
  { stream, channels, filter, ...options }: TicketOptions,
): (attempt: AttemptContext) => Promise<URL> {
  let held: { readonly url: URL; readonly until: number } | undefined;
  return async ({ refresh }) => {
    if (held && !refresh && Date.now() < held.until) return held.url;
    const body = JSON.stringify({ stream, channels, filter });
    const [url, init] = await buildRequest(endpoint, { ...options, method: "POST", body }, "", refresh);
    init.headers.set("accept", "application/json");
    init.headers.set("content-type", "application/json");
    const signal = AbortSignal.timeout(timeout);
    const response = await (options.fetch ?? fetch)(url.href, { ...init, signal });
    const error = await judge(response, "application/json", 0, false);
    if (error) throw error;
    const ticket = (await response.json()) as { url?: string; expiresAt?: string };
    if (ticket.url === undefined) throw new ClientError("request-failed", { fatal: true });
    held = { url: new URL(ticket.url, url), until: Date.parse(ticket.expiresAt ?? "") - margin };
    return held.url;
  };
}
