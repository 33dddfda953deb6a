import { SpillwayError } from "../errors.ts";

/** Why a target did not answer a request. */
export class TargetFailure extends Error {
  override readonly name = "TargetFailure";
  readonly code: "target-failed" | "target-timeout";
  /** `refused`: there was no connection; `broken`: the request was sent, at least in part. */
  readonly how: "refused" | "broken";
  /** The code of the HTTP client's error, such as `ECONNREFUSED`. */
  readonly reason: string | undefined;

  constructor(code: TargetFailure["code"], how: TargetFailure["how"], reason?: string) {
    super(code);
    this.code = code;
    this.how = how;
    this.reason = reason;
  }

  /** The error for the client, which does not say where the target is. */
  toError(target: string): SpillwayError {
    const what = this.reason === undefined ? "" : ` (${this.reason})`;
    const text = this.code === "target-timeout" ? `${target}: no answer in time` : `${target}: no answer${what}`;
    return new SpillwayError(this.code, text, { cause: this });
  }
}

/**
 * What the error of an HTTP client stands for: the target's failure, or one that is not the target's.
 * @param isLate whether the request was aborted because it took too long
 * @param isSent whether it was sent, at least in part
 */
export function failureOf(
  error: Error & { readonly code?: unknown },
  { isLate, isSent }: { readonly isLate: boolean; readonly isSent: boolean },
): TargetFailure | SpillwayError {
  if (closedClients.has(error.code)) return new SpillwayError("shutting-down", undefined, { cause: error });
  if (invalidRequests.has(error.code)) return new SpillwayError("request-invalid", undefined, { cause: error });
  const reason = typeof error.code === "string" && /^[A-Z][A-Z0-9_]{1,63}$/.test(error.code) ? error.code : undefined;
  const timedOut = isLate || reason === "UND_ERR_CONNECT_TIMEOUT" || reason === "ETIMEDOUT";
  return new TargetFailure(timedOut ? "target-timeout" : "target-failed", isSent ? "broken" : "refused", reason);
}

/** Codes by which the clients refuse a request, or a body that does not have the length of its header. */
const invalidRequests: ReadonlySet<unknown> = new Set([
  "INVALID_REQUEST",
  "UND_ERR_INVALID_ARG",
  "UND_ERR_NOT_SUPPORTED",
  "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH",
]);

/** Codes of requests that the gateway, while it stops, no longer sends, or no longer waits for. */
const closedClients: ReadonlySet<unknown> = new Set(["CLIENT_CLOSED", "UND_ERR_CLOSED", "UND_ERR_DESTROYED"]);
