/** What can be wrong with a stream read, or with a field to be written. */
export type SseErrorCode = "sse-event-too-large" | "sse-field-invalid";

/** The one error class of this folder. */
export class SseError extends Error {
  override readonly name = "SseError";
  /** Stable, safe to branch on. */
  readonly code: SseErrorCode;
  /** The field or option at fault. */
  readonly field: string;

  constructor(code: SseErrorCode, field: string, message: string) {
    super(message);
    this.code = code;
    this.field = field;
  }
}
