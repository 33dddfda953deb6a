import { errorCodes, type ErrorCode } from "../errors.ts";

/** The details of a failure in addition to its code. */
export interface FailureDetails {
  /** The response status. */
  readonly status?: number | undefined;
  /** The code of the underlying error, such as `ECONNREFUSED`. */
  readonly reason?: string | undefined;
  /** The media type of the response, without parameters. */
  readonly contentType?: string | undefined;
  /** The wait that the target asked for with `Retry-After`, in ms. */
  readonly retryAfter?: number | undefined;
  /** True if no retry helps, because an operator has to act: the upstream then stops. */
  readonly final?: boolean | undefined;
  /** True if a quick retry does not help, because the credentials or the address are wrong. */
  readonly slow?: boolean | undefined;
}

/**
 * Why an attempt or a stream ended. It appears in logs and status, so it does not include the message and cause of the
 * HTTP client's error, which can contain host names, URLs and header values.
 */
export class UpstreamFailure extends Error {
  override readonly name = "UpstreamFailure";
  readonly code: ErrorCode;
  readonly details: FailureDetails;

  constructor(code: ErrorCode, details: FailureDetails = {}) {
    super(errorCodes[code]);
    this.code = code;
    this.details = details;
  }
}

/** A log message: what happened, the details, what to check, and when the next attempt is. `delay` is in ms. */
export function describeBreak(failure: UpstreamFailure | undefined, delay: number): string {
  const { status, reason, contentType } = failure?.details ?? {};
  const seen = [status, contentType, reason].filter((detail) => detail !== undefined).join(", ");
  const message = `${failure?.message ?? errorCodes["upstream-ended"]}${seen && ` (${seen})`}`;
  const advice = failure && adviceOn(failure);
  return [message, advice, `next attempt in ${(delay / 1_000).toFixed(1)}s`].filter(Boolean).join("; ");
}

/** What the operator should check; `undefined` if there is nothing to do but wait. */
function adviceOn({ code, details: { status, reason } }: UpstreamFailure): string | undefined {
  if (status === 401 || status === 403) return "check the key, and how the source expects it";
  if (status === 404 || status === 410) return "check the path of the URL";
  if (code === "upstream-content-type") return "check the URL: it does not serve the expected format";
  if (code === "upstream-redirect") return "check the URL: use the address that it redirects to";
  return reason === undefined ? undefined : reasons[reason];
}

const reasons: Readonly<Record<string, string>> = {
  ENOTFOUND: "check the host of the URL",
  EAI_AGAIN: "check the host of the URL, and the name server",
  ECONNREFUSED: "check the port of the URL: nothing listens there",
  DEPTH_ZERO_SELF_SIGNED_CERT: "check the certificate: its authority is not trusted (upstream.tls.ca)",
  SELF_SIGNED_CERT_IN_CHAIN: "check the certificate: its authority is not trusted (upstream.tls.ca)",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "check the certificate: its authority is not trusted (upstream.tls.ca)",
  CERT_HAS_EXPIRED: "check the certificate: it has expired",
};

/** Turns any error into a failure: with the error's own code if it is one of Spillway's, else with `code`. */
export function toFailure(error: unknown, code: ErrorCode): UpstreamFailure {
  if (error instanceof UpstreamFailure) return error;
  const own = codeOf(error);
  if (isErrorCode(own)) return new UpstreamFailure(own);
  return new UpstreamFailure(code, { reason: [own, codeOf(causeOf(error))].find(isPlain) });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(errorCodes, code);
}

/** The error codes of Node.js, OpenSSL and undici. Anything else could be text that contains a secret. */
function isPlain(code: unknown): code is string {
  return typeof code === "string" && /^[A-Z][A-Z0-9_]{1,63}$/.test(code);
}
