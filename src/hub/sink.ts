import type { Page } from "./page.ts";

/** Where a subscriber's bytes go: an HTTP/1.1 socket, an HTTP/2 stream, a Fetch `ReadableStream`. */
export interface Sink {
  /** Accepted bytes that have not left yet. */
  readonly pending: number;
  /** Bytes that have left, ever: what does not grow while `pending` is above zero is stalled. */
  readonly sent: number;
  /** True from a write that found no room until `onDrain`. */
  readonly full: boolean;
  /** Accepts the page in any case; the caller checks `full` and `pending`. */
  write(page: Page): void;
  /** Ends the response behind what is pending. */
  end(): void;
  /** Cuts the connection now. */
  destroy(): void;
}

/** What a sink reports to its subscriber. */
export interface SinkListener {
  /** There is room again after `full`. */
  onDrain(): void;
  /** The client has ended its side: it may still read, but cannot be told from one that is gone. */
  onHalfClose(): void;
  /** The connection is closed, by either side. Called once. */
  onClose(): void;
}
