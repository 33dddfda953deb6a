/** What can go wrong on the client's side. */
export type ClientErrorCode =
  /** The server cannot be reached: name resolution, a refused connection, CORS, or the browser is offline. */
  | "connect-failed"
  /** The response headers did not arrive in time. */
  | "connect-timeout"
  /** The connection broke in the middle of the stream. */
  | "connection-lost"
  /** Nothing has arrived for twice the heartbeat. */
  | "connection-silent"
  /** The server has ended the response; `reason` is that of `spillway.bye`. */
  | "stream-ended"
  /** A response of another media type, such as the HTML of a login page. It is never parsed. */
  | "content-type-unexpected"
  /** An error status without a code of the server. */
  | "status-unexpected"
  /** `url`, `headers` or `token` threw an error, which is the `cause`. */
  | "request-failed"
  /** A handler, `onGap`, `parse` or `cursor.save` threw an error, which is the `cause`. */
  | "handler-failed"
  /** An event exceeds `maxEventLength`. */
  | "sse-event-too-large";

/** Details of a {@link ClientError}. */
export interface ClientErrorDetails {
  readonly status?: number | undefined;
  readonly reason?: string | undefined;
  readonly fatal?: boolean | undefined;
  readonly retryAfter?: number | undefined;
  readonly cause?: unknown;
}

/** Why a connection failed or ended. Its text has neither the URL nor a credential. */
export class ClientError extends Error {
  /** Stable: one of {@link ClientErrorCode}, or the `code` of the server's problem details, such as `stream-unknown`. */
  readonly code: ClientErrorCode | (string & {});
  /** The status of the response, if that is the reason. */
  declare readonly status: number | undefined;
  /** The reason in `spillway.bye`, such as `drain`. */
  declare readonly reason: string | undefined;
  /** Whether the subscription ends with this error. All others are followed by another attempt. */
  declare readonly fatal: boolean | undefined;
  /** The shortest time before the next attempt, in ms, if the server has asked for one. */
  declare readonly retryAfter: number | undefined;

  constructor(code: ClientErrorCode | (string & {}), details: ClientErrorDetails = {}) {
    super([code, details.status, details.reason].filter(Boolean).join(" "));
    this.name = "ClientError";
    this.code = code;
    Object.assign(this, details);
  }
}

/** The error itself if it is one of the client's; otherwise one with this code whose cause it is. */
export function toClientError(cause: unknown, code: ClientErrorCode, fatal?: boolean): ClientError {
  return cause instanceof ClientError ? cause : new ClientError(code, { cause, fatal });
}

/**
 * The error of a response that is not what was asked for; `undefined` if it is one.
 *
 * Statuses that are retried are 408, 425, 429 and those from 500, except 501. An answer without problem details, where a
 * Spillway has answered before, is from a hop in between, and is retried slowly, as is another media type.
 * @param expected the media type
 * @param slow the delay of slow attempts, in ms
 * @param known whether a Spillway has answered before
 */
export async function judge(
  response: Response,
  expected: string,
  slow: number,
  known: boolean,
): Promise<ClientError | undefined> {
  const { status, ok, headers } = response;
  const type = headers.get("content-type") ?? "";
  if (ok && type.split(";")[0]!.trim().toLowerCase() === expected) return undefined;
  const problem = /json/i.test(type) && ((await response.json().catch(() => {})) as { code?: unknown } | undefined);
  const code = problem && typeof problem.code === "string" && problem.code;
  const passing = /408|425|429|5(?!01)../.test(`${status}`);
  // A number of seconds, or a time (RFC 9110 section 10.2.3).
  const after = headers.get("retry-after")!;
  return new ClientError(code || (ok ? "content-type-unexpected" : "status-unexpected"), {
    status,
    fatal: !(ok || passing || (known && !code)),
    retryAfter: Number(after) * 1000 || Date.parse(after) - Date.now() || (passing ? 0 : slow),
  });
}
