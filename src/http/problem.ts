import { errorCodes, SpillwayError, type ErrorCode } from "../errors.ts";
import { retryAfterSeconds } from "../limits/retry-after.ts";
import type { HttpBody, HttpHeaders } from "./message.ts";

/** The HTTP status of each error code that a request can cause. Other codes become 500. */
const statuses: Partial<Record<ErrorCode, number>> = {
  "request-invalid": 400,
  "filter-invalid": 400,
  "credential-in-url": 400,
  "credential-required": 401,
  "credential-invalid": 401,
  "credential-expired": 401,
  "ticket-invalid": 401,
  "signature-invalid": 401,
  "signature-expired": 401,
  "access-denied": 403,
  "grant-invalid": 403,
  "origin-denied": 403,
  "host-denied": 421,
  "not-found": 404,
  "stream-unknown": 404,
  "run-unknown": 404,
  "delivery-unknown": 404,
  "client-unknown": 404,
  "method-not-allowed": 405,
  "not-acceptable": 406,
  "gap": 410,
  "body-consumed": 500,
  "run-truncated": 410,
  "run-cancelled": 410,
  "body-too-large": 413,
  "too-many-events": 413,
  "uri-too-long": 414,
  "media-type-unsupported": 415,
  "config-invalid": 422,
  "restart-required": 422,
  "idempotency-conflict": 422,
  "event-invalid": 422,
  "transform-failed": 422,
  "transform-invalid": 422,
  "too-many-connections": 429,
  "too-many-runs": 429,
  "too-many-tickets": 429,
  "rate-limited": 429,
  "too-many-filters": 503,
  "at-capacity": 503,
  "overloaded": 503,
  "replay-busy": 503,
  "authorize-unavailable": 503,
  "issuer-unavailable": 503,
  "shutting-down": 503,
  "store-closed": 503,
  "store-full": 503,
  "store-locked": 503,
  "store-readonly": 503,
  "store-corrupt": 503,
  "store-unavailable": 503,
  "append-unknown": 503,
  "transform-timeout": 503,
  "peer-timeout": 503,
  "run-not-started": 503,
  "target-failed": 502,
  "target-unavailable": 503,
  "too-many-streams": 503,
  "target-timeout": 504,
};

const unknownDetail =
  "The events may have been appended. A request with the same Idempotency-Key does not append them twice.";

/** The `Retry-After` of a 429 or 503 in seconds, unless the error sets it. */
const defaultRetryAfter = 5;

/**
 * An error as `application/problem+json` (RFC 9457). An unexpected error becomes a 500 without details, which could be
 * sensitive.
 */
export function problem(error: unknown, extra: object = {}, headers: HttpHeaders = {}): HttpBody {
  const known = error instanceof SpillwayError && statuses[error.code] !== undefined ? error : undefined;
  const status = (known && statuses[known.code]) ?? 500;
  const body = known
    ? { title: errorCodes[known.code], status, code: known.code, ...detailsOf(known) }
    : { title: "internal error", status, code: "internal" };
  return {
    status,
    headers: {
      "Content-Type": "application/problem+json",
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
      ...(known && retryHeaders(known, status)),
      ...headers,
    },
    body: JSON.stringify({ type: "about:blank", ...body, ...extra }),
  };
}

/** The headers that state which credential is needed, or when to retry. */
function retryHeaders({ code, retryAfter = defaultRetryAfter }: SpillwayError, status: number): HttpHeaders {
  if (status === 401) return { "WWW-Authenticate": challenge(code) };
  return status === 429 || status === 503 ? { "Retry-After": String(retryAfterSeconds(retryAfter)) } : {};
}

/** The challenge of a 401 (RFC 6750 §3). No registered scheme describes the signature of a webhook. */
function challenge(code: ErrorCode): string {
  if (code === "signature-invalid" || code === "signature-expired") return 'Signature realm="spillway"';
  return code === "credential-required" ? 'Bearer realm="spillway"' : 'Bearer realm="spillway", error="invalid_token"';
}

/** Leaves out the messages of a store, which may contain file names. They are only logged. */
function detailsOf({ code, message, field, expected, got, position, issues }: SpillwayError): object {
  if (code === "append-unknown") return { detail: unknownDetail, outcome: "unknown" };
  return code.startsWith("store-")
    ? {}
    : {
        detail: message,
        field,
        expected,
        got,
        position,
        // Those of a configuration are for its operator, who finds them in the log.
        issues: code === "event-invalid" ? issues : undefined,
      };
}

/** Shortens a client's input before it is sent back. */
export function shown(text: string): string {
  return text.length > 100 ? text.slice(0, 100) + "…" : text;
}

/** Creates the error of an invalid field in a request. */
export function invalid(field: string, expected: string, got: string): SpillwayError {
  return new SpillwayError("request-invalid", `${field} must be ${expected}`, { field, expected, got: shown(got) });
}
