import { errorCodes, type ErrorCode } from "../errors.ts";

/** What a failure may say beside its code. */
export interface FailureDetails {
  /** The response status. */
  readonly status?: number | undefined;
  /** The code of the error underneath, such as `ECONNREFUSED`. */
  readonly reason?: string | undefined;
  /** How long the target asked to be left alone, in ms. */
  readonly retryAfter?: number | undefined;
  /** True where trying again soon is no use: credentials or the address are wrong. */
  readonly slow?: boolean | undefined;
}

/**
 * Why an attempt or a stream ended. It goes to logs and status, so it has no message and no cause of its own: those of the
 * HTTP client can hold host names, URLs and header values.
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

/** Makes a failure of any error: under its own code if that is one of ours, else under `code`. */
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

/** The constants of Node.js, OpenSSL and undici; anything else might be text with a secret in it. */
function isPlain(code: unknown): code is string {
  return typeof code === "string" && /^[A-Z][A-Z0-9_]{1,63}$/.test(code);
}
