import { errorCodes, SpillwayError, type ErrorCode } from "../errors.ts";
import { retryAfterSeconds } from "../limits/retry-after.ts";
import type { HttpBody, HttpHeaders } from "./message.ts";

/** The HTTP status of each code that a request can meet; any other is a 500. */
const statuses: Partial<Record<ErrorCode, number>> = {
  "request-invalid": 400,
  "credential-in-url": 400,
  "credential-required": 401,
  "credential-invalid": 401,
  "credential-expired": 401,
  "ticket-invalid": 401,
  "access-denied": 403,
  "origin-denied": 403,
  "host-denied": 421,
  "not-found": 404,
  "stream-unknown": 404,
  "method-not-allowed": 405,
  "not-acceptable": 406,
  "gap": 410,
  "body-too-large": 413,
  "too-many-events": 413,
  "uri-too-long": 414,
  "media-type-unsupported": 415,
  "config-invalid": 422,
  "restart-required": 422,
  "idempotency-conflict": 422,
  "too-many-connections": 429,
  "too-many-tickets": 429,
  "rate-limited": 429,
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
};

const unknownDetail =
  "The events may have been appended. A request with the same Idempotency-Key does not append them twice.";

/** Seconds after which a 429 or 503 may be tried again, where the error does not say. */
const defaultRetryAfter = 5;

/** An error as `application/problem+json` (RFC 9457). An unexpected error becomes a bare 500: its text may hold anything. */
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
      ...(known && whatNext(known, status)),
      ...headers,
    },
    body: JSON.stringify({ type: "about:blank", ...body, ...extra }),
  };
}

/** Headers that say with which credential to retry, or when. */
function whatNext({ code, retryAfter = defaultRetryAfter }: SpillwayError, status: number): HttpHeaders {
  if (status === 401) return { "WWW-Authenticate": challenge(code) };
  return status === 429 || status === 503 ? { "Retry-After": String(retryAfterSeconds(retryAfter)) } : {};
}

/** RFC 6750 §3. */
function challenge(code: ErrorCode): string {
  return code === "credential-required" ? 'Bearer realm="spillway"' : 'Bearer realm="spillway", error="invalid_token"';
}

/** Messages of a store may name files: they go into the log only. */
function detailsOf({ code, message, field, expected, got }: SpillwayError): object {
  if (code === "append-unknown") return { detail: unknownDetail, outcome: "unknown" };
  return code.startsWith("store-") ? {} : { detail: message, field, expected, got };
}

/** Shortens what a client sent before it is sent back. */
export function shown(text: string): string {
  return text.length > 100 ? text.slice(0, 100) + "…" : text;
}

/** A field of the request that cannot be used. */
export function invalid(field: string, expected: string, got: string): SpillwayError {
  return new SpillwayError("request-invalid", `${field} must be ${expected}`, { field, expected, got: shown(got) });
}
