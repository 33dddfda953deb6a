import { errorCodes, SpillwayError, type ErrorCode } from "../errors.ts";
import type { HttpBody, HttpHeaders } from "./message.ts";

/** The HTTP status of each code that a request can meet; any other is a 500. */
const statuses: Partial<Record<ErrorCode, number>> = {
  "request-invalid": 400,
  "access-denied": 403,
  "not-found": 404,
  "stream-unknown": 404,
  "method-not-allowed": 405,
  "not-acceptable": 406,
  "gap": 410,
  "body-too-large": 413,
  "media-type-unsupported": 415,
  "idempotency-conflict": 422,
  "shutting-down": 503,
  "store-closed": 503,
  "store-full": 503,
  "store-locked": 503,
  "store-readonly": 503,
  "store-corrupt": 503,
  "store-unavailable": 503,
};

/** Seconds after which a 503 may be tried again. */
const retryAfter = 5;

/** An error as `application/problem+json` (RFC 9457). What is not ours becomes a bare 500: its text may hold anything. */
export function problem(error: unknown, extra: object = {}, headers: HttpHeaders = {}): HttpBody {
  const known = error instanceof SpillwayError && statuses[error.code] !== undefined ? error : undefined;
  const status = (known && statuses[known.code]) ?? 500;
  const body = {
    type: "about:blank",
    title: known ? errorCodes[known.code] : "internal error",
    status,
    code: known?.code ?? "internal",
    ...(known && detailsOf(known)),
    ...extra,
  };
  return {
    status,
    headers: {
      "Content-Type": "application/problem+json",
      "Cache-Control": "no-store",
      ...(status === 503 ? { "Retry-After": String(retryAfter) } : {}),
      ...headers,
    },
    body: JSON.stringify(body),
  };
}

/** What the store says of itself may name files: it is for the log. */
function detailsOf({ code, message, field, expected, got }: SpillwayError): object {
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
