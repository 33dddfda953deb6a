import type { Dispatcher } from "undici";
import { toFailure, UpstreamFailure } from "./failure.ts";
import { firstRequest, redirected, resumed, type UpstreamRequest } from "./request.ts";
import { parseRetryAfter } from "./retry-after.ts";
import type { Transport } from "./transport.ts";
import type { UpstreamHeaders, UpstreamOptions } from "./upstream.ts";

/** A response whose body has not been read. */
export type UpstreamResponse = Dispatcher.ResponseData;

/** What one request differs in. */
export interface RequestDetails {
  /** Headers that the user's headers override. */
  readonly headers: Readonly<Record<string, string>>;
  /** The last event id to resume at; `undefined` to start where the source does. */
  readonly cursor: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Requests a target: calls the `headers` function, sends the request, and follows redirects. Leaves its connections
 * open, whatever the outcome; closing the transport closes them.
 *
 * @throws {UpstreamFailure} `upstream-connect`, `upstream-timeout`, `upstream-redirect`.
 */
export async function connect(
  transport: Transport,
  url: string,
  options: UpstreamOptions,
  { headers, cursor, signal }: RequestDetails,
): Promise<UpstreamResponse> {
  const limit = options.timeouts.headers;
  try {
    const unanswered = (): Error => new UpstreamFailure("upstream-connect");
    const userHeaders = await within(askHeaders(options.headers), limit, signal, unanswered);
    const request = firstRequest(url, options, { ...headers, ...userHeaders });
    const late = (): Error => new UpstreamFailure("upstream-timeout");
    return await within(follow(transport, request, options, cursor), limit, signal, late);
  } catch (error) {
    throw toFailure(error, "upstream-connect");
  }
}

/**
 * Checks that a response is `200` with a body of the right type.
 * @throws {UpstreamFailure} `upstream-status`, `upstream-content-type`.
 */
export function assertContent(
  { statusCode: status, headers }: UpstreamResponse,
  isRightType: (contentType: string | undefined) => boolean,
): void {
  const contentType = headerOf(headers, "content-type");
  const shown = mediaType(contentType);
  if (status !== 200) throw statusFailure(status, headerOf(headers, "retry-after"), shown);
  const encoding = headerOf(headers, "content-encoding") ?? "identity";
  // A compressed body, despite `Accept-Encoding: identity`, would be parsed as a single endless line.
  if (!isRightType(contentType) || encoding.toLowerCase() !== "identity") {
    throw new UpstreamFailure("upstream-content-type", { status, contentType: shown });
  }
}

/** The failure of a response with a status that is not the expected one. */
export function statusFailure(status: number, retryAfter: string | undefined, contentType?: string): UpstreamFailure {
  return new UpstreamFailure("upstream-status", {
    status,
    contentType,
    retryAfter: parseRetryAfter(retryAfter, Date.now()),
    slow: slowStatus.has(status),
  });
}

/** The value of a header; the first one if it is repeated. */
export function headerOf(headers: UpstreamResponse["headers"], name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.[0];
}

/** Destroys an unread response and ignores the errors of its stream. */
export function discard({ body }: UpstreamResponse): void {
  body.on("error", () => {}).destroy();
}

/** The user's headers for one attempt. */
export async function askHeaders(headers: UpstreamHeaders): Promise<Readonly<Record<string, string>>> {
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
    discard(response);
    request = redirected(request, status, headerOf(response.headers, "location"));
  }
}

const redirectStatus: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** A quick retry does not help with these: the operator must first change the key or the address. */
const slowStatus: ReadonlySet<number> = new Set([401, 403, 404]);

/** The type and subtype of a `Content-Type`. Its parameters, or an invalid value, could contain a secret. */
function mediaType(text: string | undefined): string | undefined {
  return /^[a-z]{1,20}\/[\w.+-]{1,60}(?=\s*(;|$))/i.exec(text ?? "")?.[0].toLowerCase();
}

/**
 * Settles as `work` does, but rejects with `late()` after `ms`, or when the signal aborts. `work` itself is not
 * cancelled.
 */
export async function within<T>(work: Promise<T>, ms: number, signal: AbortSignal, late: () => Error): Promise<T> {
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
