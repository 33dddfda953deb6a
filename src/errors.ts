/**
 * Every error Spillway raises on purpose, by its stable code. A code never changes its meaning; the catalogue in
 * `docs/reference/errors.md` says what to do about each, and a test holds the two together.
 */
export const errorCodes = {
  // sse
  "sse-event-too-large": "an event exceeds maxEventBytes",
  "sse-field-invalid": "a field holds a character that would break the framing",
  // log
  "store-closed": "the log is closed",
  "store-corrupt": "the database is damaged or not a Spillway log",
  "store-full": "no space left for the log",
  "store-locked": "another process holds the log",
  "store-readonly": "the log cannot be written",
  "store-schema": "the log was written by a newer Spillway",
  "store-unavailable": "the log cannot be reached",
  "append-unknown": "whether the events were appended is not known",
  "lease-lost": "another node ingests the stream now",
  "idempotency-conflict": "an Idempotency-Key was used again with another body",
  // upstream
  "upstream-content-type": "the upstream answered with something other than text/event-stream",
  "upstream-connect": "no connection to the upstream",
  "upstream-ended": "the upstream closed the stream",
  "upstream-redirect": "the upstream redirected too often or to nowhere",
  "upstream-status": "the upstream answered with an error status",
  "upstream-timeout": "the upstream was silent for too long",
  // config
  "config-invalid": "the configuration has errors",
  "config-not-found": "the configuration file does not exist",
  "access-required": "a public address needs an access section",
  "restart-required": "the change needs a restart",
  "listen-failed": "the address cannot be listened on",
  "worker-failed": "a worker process ended before it could serve",
  "driver-missing": "a package this store needs is not installed",
  // requests
  "request-invalid": "a request field is malformed",
  "credential-required": "this needs a credential",
  "credential-invalid": "the credential is not known",
  "credential-expired": "the credential is no longer valid",
  "credential-in-url": "a long-lived credential must not be in a URL",
  "ticket-invalid": "the ticket is unknown, used up or expired",
  "access-denied": "the right this needs is not granted",
  "origin-denied": "the page's origin is not allowed",
  "host-denied": "the host name is none of this gateway's",
  "authorize-unavailable": "the service that decides about access cannot be asked",
  "issuer-unavailable": "the keys of the token's issuer cannot be had",
  "not-found": "no such resource",
  "stream-unknown": "no stream of that name",
  "method-not-allowed": "the resource does not take this method",
  "not-acceptable": "no representation fits the Accept header",
  "media-type-unsupported": "the body's media type is not understood",
  "body-too-large": "the body exceeds its limit",
  "too-many-events": "a request publishes too many events",
  "uri-too-long": "the request target exceeds its limit",
  "too-many-connections": "one client has too many connections",
  "too-many-tickets": "one client has too many tickets",
  "rate-limited": "one client does this too often",
  "at-capacity": "the server takes no more connections",
  "overloaded": "the server has no time or memory left for more",
  "replay-busy": "too many are being replayed to, or search through a log",
  "gap": "the requested position is no longer held",
  "shutting-down": "the server is stopping",
} as const;

/** The closed set of codes. */
export type ErrorCode = keyof typeof errorCodes;

/** What an error may say beside its code. Never a secret: values may be shown to clients and written to logs. */
export interface ErrorDetails {
  /** The option, query parameter, header or body field at fault, as its user writes it. */
  readonly field?: string | undefined;
  /** What would have been accepted. */
  readonly expected?: string | undefined;
  /** What was found, shortened. */
  readonly got?: string | undefined;
  /** Seconds after which to try again. */
  readonly retryAfter?: number | undefined;
  /** The error underneath. */
  readonly cause?: unknown;
}

/** The one error class of Spillway. */
export class SpillwayError extends Error {
  override readonly name = "SpillwayError";
  /** Stable, documented, safe to branch on. */
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly expected: string | undefined;
  readonly got: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, message: string = errorCodes[code], details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.field = details.field;
    this.expected = details.expected;
    this.got = details.got;
    this.retryAfter = details.retryAfter;
  }
}
