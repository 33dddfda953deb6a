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
