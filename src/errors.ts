/**
 * Every error that Spillway raises on purpose, by its stable code. A code never changes its meaning; the catalogue in
 * `docs/reference/errors.md` says what to do about each, and a test holds the two together.
 */
export const errorCodes = {
  // sse
  "sse-event-too-large": "an event exceeds maxEventBytes",
  "sse-field-invalid": "a field contains a character that would break the framing",
  // log
  "store-closed": "the log is closed",
  "store-corrupt": "the database is damaged or not a Spillway log",
  "store-full": "no space left for the log",
  "store-locked": "another process has the log open",
  "store-readonly": "the log cannot be written",
  "store-schema": "the log was written by a newer Spillway",
  "store-unavailable": "the log cannot be reached",
  "append-unknown": "it is unknown whether the events were appended",
  "lease-lost": "another node now ingests the stream",
  "idempotency-conflict": "an Idempotency-Key was reused with a different body",
  // upstream
  "upstream-content-type": "the upstream response has the wrong content type",
  "upstream-connect": "cannot connect to the upstream",
  "upstream-data-invalid": "the upstream response is not valid",
  "upstream-ended": "the upstream closed the stream",
  "upstream-message-too-large": "a response or message of the upstream exceeds maxEventBytes",
  "upstream-redirect": "too many upstream redirects, or a redirect without a target",
  "upstream-status": "the upstream responded with an error status",
  "upstream-timeout": "the upstream timed out",
  // definitions
  "event-invalid": "an event does not match the stream's definition",
  // transforms
  "transform-failed": "the transform threw an error",
  "transform-invalid": "the transform returned something other than events",
  "transform-timeout": "the transform did not finish in time",
  // routes
  "target-failed": "the target refused the connection, or broke it off",
  "target-timeout": "the target did not answer in time",
  "target-unavailable": "no target can take the request",
  "too-many-streams": "the route or the pattern has as many streams as it may",
  // runs
  "run-unknown": "no run with that id",
  "run-truncated": "the run ended before its response was complete",
  "run-cancelled": "the run was stopped before there was a response",
  "run-not-started": "the request that started the run got no event stream",
  "too-many-runs": "too many runs of one client at a time",
  // deliveries
  "delivery-address-denied": "the endpoint has an address that is not public",
  "delivery-failed": "the endpoint refused the connection, or broke it off",
  "delivery-gone": "the endpoint answered 410 and wants no more webhooks",
  "delivery-redirect": "the endpoint answered with a redirect, which is not followed",
  "delivery-status": "the endpoint answered with an error status",
  "delivery-timeout": "the endpoint did not answer in time",
  "delivery-unknown": "no delivery with that name",
  // config
  "config-invalid": "the configuration has errors",
  "config-not-found": "the configuration file does not exist",
  "config-exists": "a configuration file already exists",
  "access-required": "a public address needs an access section",
  "restart-required": "the change needs a restart",
  "listen-failed": "cannot bind the address",
  "worker-failed": "a worker process exited during startup",
  "driver-missing": "a package that this store or source requires is not installed",
  // requests
  "request-invalid": "a request field is malformed",
  "filter-invalid": "a filter expression is invalid",
  "too-many-filters": "too many different filter expressions",
  "credential-required": "a credential is required",
  "credential-invalid": "unknown credential",
  "credential-expired": "the credential is no longer valid",
  "credential-in-url": "a long-lived credential must not be in a URL",
  "signature-invalid": "the signature of the webhook is missing or wrong",
  "signature-expired": "the signature of the webhook is too old, or of a time in the future",
  "ticket-invalid": "the ticket is unknown, used up or expired",
  "access-denied": "the required right is not granted",
  "grant-invalid": "the filter of the credential's grant is invalid",
  "origin-denied": "the page's origin is not allowed",
  "host-denied": "the host name is not one of this gateway's",
  "authorize-unavailable": "the authorize service is unavailable",
  "issuer-unavailable": "the token issuer's keys are unavailable",
  "not-found": "no such resource",
  "stream-unknown": "no stream with that name",
  "client-unknown": "no client with that id is connected",
  "method-not-allowed": "the resource does not support this method",
  "not-acceptable": "no representation matches the Accept header",
  "media-type-unsupported": "the media type of the body is not supported",
  "body-consumed": "the body of the request was read before it reached the gateway",
  "body-too-large": "the body exceeds its limit",
  "too-many-events": "a request publishes too many events",
  "uri-too-long": "the request target exceeds its limit",
  "too-many-connections": "too many connections of one client",
  "too-many-tickets": "too many tickets of one client",
  "rate-limited": "rate limit exceeded",
  "at-capacity": "the server is at its connection limit",
  "overloaded": "the server is overloaded",
  "replay-busy": "too many replays or searches are running",
  "gap": "the requested position is no longer retained",
  "peer-timeout": "another process of the gateway did not answer in time",
  "shutting-down": "the server is shutting down",
} as const;

/** The closed set of error codes. */
export type ErrorCode = keyof typeof errorCodes;

/** Details of an error besides its code. Never a secret: values may be shown to clients and written to logs. */
export interface ErrorDetails {
  /** The option, query parameter, header or body field at fault, as the user writes it. */
  readonly field?: string | undefined;
  /** What is accepted. */
  readonly expected?: string | undefined;
  /** What was received, truncated. */
  readonly got?: string | undefined;
  /** Where in the received text the fault is: the number of characters before it. */
  readonly position?: number | undefined;
  /** Everything that is wrong with an event, of which `field` is the first. */
  readonly issues?: readonly ErrorIssue[] | undefined;
  /** Seconds after which to retry. */
  readonly retryAfter?: number | undefined;
  /** The error that caused this one. */
  readonly cause?: unknown;
}

/** One of several things that are wrong. */
export interface ErrorIssue {
  readonly message: string;
  readonly field?: string | undefined;
}

/** The one error class of Spillway. */
export class SpillwayError extends Error {
  override readonly name = "SpillwayError";
  /** Stable, documented, safe to branch on. */
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly expected: string | undefined;
  readonly got: string | undefined;
  readonly position: number | undefined;
  readonly issues: readonly ErrorIssue[] | undefined;
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, message: string = errorCodes[code], details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.field = details.field;
    this.expected = details.expected;
    this.got = details.got;
    this.position = details.position;
    this.issues = details.issues;
    this.retryAfter = details.retryAfter;
  }
}

/** The error for a client library that cannot be loaded: `driver-missing`, with the command that installs it. */
export function driverMissing(user: string, packages: readonly string[], cause: unknown): SpillwayError {
  const names = packages.join(" ");
  const message = `the ${user} needs ${names}; install it with: npm install ${names}`;
  return new SpillwayError("driver-missing", message, { expected: names, cause });
}
