/** The errors of reading a stream and of encoding a field. */
export type SseErrorCode = "sse-event-too-large" | "sse-field-invalid";

/** An error of the parser or the encoder. */
export class SseError extends Error {
  override readonly name = "SseError";
  /** Stable, so that programs can rely on it. */
  readonly code: SseErrorCode;
  /** The invalid field, or the option whose limit was exceeded. */
  readonly field: string;

  constructor(code: SseErrorCode, field: string, message: string) {
    super(message);
    this.code = code;
    this.field = field;
  }
}
