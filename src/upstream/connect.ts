import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { isEventStream } from "../sse/index.ts";
import { toFailure, UpstreamFailure } from "./failure.ts";
import { firstRequest, redirected, resumed, type UpstreamRequest } from "./request.ts";
import { parseRetryAfter } from "./retry-after.ts";
import type { Transport } from "./transport.ts";
import type { UpstreamHeaders, UpstreamOptions } from "./upstream.ts";

/** An open event stream. */
export interface Connection {
  readonly body: Readable;
  /**
   * The `Spillway-Resume` header, which says how a source that is a Spillway resumed; `undefined` for other sources.
   */
  readonly outcome: string | undefined;
}

/**
 * Makes one connection attempt to a target: calls the `headers` function, sends the request, follows redirects, and
 * checks status and content type. Resolves to `undefined` if the source answers `204`: there are no more events (WHATWG
 * HTML section 9.2.3). Leaves its connections open, whatever the outcome; closing the transport closes them.
 *
 * @param cursor the last event id to resume at; `undefined` to start where the source does
 * @throws {UpstreamFailure} `upstream-connect`, `upstream-timeout`, `upstream-redirect`, `upstream-status`,
 * `upstream-content-type`.
 */
export async function connect(
  transport: Transport,
  url: string,
  options: UpstreamOptions,
  cursor: string | undefined,
  signal: AbortSignal,
): Promise<Connection | undefined> {
  const limit = options.timeouts.headers;
  try {
    const unanswered = (): Error => new UpstreamFailure("upstream-connect");
    const headers = await within(askHeaders(options.headers), limit, signal, unanswered);
    const request = firstRequest(url, options, headers);
    const late = (): Error => new UpstreamFailure("upstream-timeout");
    return accept(await within(follow(transport, request, options, cursor), limit, signal, late));
  } catch (error) {
    throw toFailure(error, "upstream-connect");
  }
}

async function askHeaders(headers: UpstreamHeaders): Promise<Readonly<Record<string, string>>> {
  return typeof headers === "function" ? headers() : headers;
}

async function follow(
  transport: Transport,
  first: UpstreamRequest,
  { resume, maxRedirects }: UpstreamOptions,
  cursor: string | undefined,
): Promise<Dispatcher.ResponseData> {
  let request = first;
  for (let redirects = 0; ; redirects++) {
    const response = await transport.request(resumed(request, resume, cursor));
    const status = response.statusCode;
    if (!redirectStatus.has(status)) return response;
    if (redirects === maxRedirects) throw new UpstreamFailure("upstream-redirect", { status });
    discard(response.body);
    request = redirected(request, status, single(response.headers["location"]));
  }
}

const redirectStatus: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** A quick retry does not help with these: the operator must first change the key or the address. */
const slowStatus: ReadonlySet<number> = new Set([401, 403, 404]);

function accept({ statusCode: status, headers, body }: Dispatcher.ResponseData): Connection | undefined {
  if (status === 204) return undefined;
  const contentType = mediaType(single(headers["content-type"]));
  if (status !== 200) {
    const retryAfter = parseRetryAfter(single(headers["retry-after"]), Date.now());
    throw new UpstreamFailure("upstream-status", { status, contentType, retryAfter, slow: slowStatus.has(status) });
  }
  const encoding = single(headers["content-encoding"]) ?? "identity";
  // A compressed body, despite `Accept-Encoding: identity`, would be parsed as a single endless line.
  if (!isEventStream(single(headers["content-type"])) || encoding.toLowerCase() !== "identity") {
    throw new UpstreamFailure("upstream-content-type", { status, contentType });
  }
  return { body, outcome: single(headers["spillway-resume"]) };
}

/** The type and subtype of a `Content-Type`. Its parameters, or an invalid value, could contain a secret. */
function mediaType(text: string | undefined): string | undefined {
  return /^[a-z]{1,20}\/[\w.+-]{1,60}(?=\s*(;|$))/i.exec(text ?? "")?.[0].toLowerCase();
}

/** Destroys an unread response and ignores the errors of its stream. */
function discard(body: Readable): void {
  body.on("error", () => {}).destroy();
}

/** The value of a header; the first one if it is repeated. */
function single(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}

/**
 * Settles as `work` does, but rejects with `late()` after `ms`, or when the signal aborts. `work` itself is not
 * cancelled.
 */
async function within<T>(work: Promise<T>, ms: number, signal: AbortSignal, late: () => Error): Promise<T> {
  let stop: (() => void) | undefined;
  const end = new Promise<never>((_resolve, reject) => {
    const timer = setTimeout(() => reject(late()), ms);
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", abort);
    stop = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    };
    if (signal.aborted) abort();
  });
  try {
    return await Promise.race([work, end]);
  } finally {
    stop?.();
  }
}
