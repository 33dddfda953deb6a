/** The vocabulary of an event stream (WHATWG HTML, section 9.2). */

/** The type of an event without an `event` field. */
export const defaultEventType = "message";

/** An event read from a stream. */
export interface SseEvent {
  /** The event type; `message` if the block has no `event` field. */
  readonly event: string;
  /** The `data` lines, joined by LF. */
  readonly data: string;
  /** The last event id of the stream, from this block or an earlier one; `""` if there was none. */
  readonly lastEventId: string;
  /** The id in this block; `undefined` if it had none. */
  readonly id: string | undefined;
}

/** The fields of an event to encode. */
export interface EventFields {
  /** Without CR, LF and NUL. `""` resets the client's last event id. Default: no `id` line. */
  readonly id?: string | undefined;
  /** Without CR and LF. Default: `message`. */
  readonly event?: string | undefined;
  /** Any text. CR, LF and CRLF are line ends; the reader gets LF for each. */
  readonly data: string;
  /** The client's reconnection delay, in ms; a whole number from 0. Default: no `retry` line. */
  readonly retry?: number | undefined;
}
