/** The vocabulary of an event stream (WHATWG HTML, section 9.2). */

/** The type of an event that names none. */
export const defaultEventType = "message";

/** An event as it was read from a stream. */
export interface SseEvent {
  /** The event type; `message` if the block named none. */
  readonly event: string;
  /** The lines of data, joined by LF. */
  readonly data: string;
  /** The last event id of the stream, from this block or an earlier one; `""` if there was none. */
  readonly lastEventId: string;
  /** The id in this very block; `undefined` if it had none. */
  readonly id: string | undefined;
}

/** What an event is written from. */
export interface EventFields {
  /** Neither CR, LF nor NUL. `""` makes the client forget its last event id. Default: no `id` line. */
  readonly id?: string | undefined;
  /** Neither CR nor LF. Default `message`. */
  readonly event?: string | undefined;
  /** Any text. CR, LF and CRLF end a line; the reader gets LF for each. */
  readonly data: string;
  /** The time after which the client is to reconnect, in ms; a whole number from 0. Default: no `retry` line. */
  readonly retry?: number | undefined;
}
