import type { Page } from "./page.ts";

/** Bytes in both forms that a sink may need. */
export type Framed = Pick<Page, "framed" | "payload">;

/** The output of a response: an HTTP/1.1 socket, an HTTP/2 stream or a Fetch `ReadableStream`. */
export interface Sink {
  /** Accepted bytes that have not been sent yet. */
  readonly pending: number;
  /** The total of sent bytes. A sink whose total does not grow while `pending` is above zero is stalled. */
  readonly sent: number;
  /** True from a write that exceeds the buffer until `onDrain`. */
  readonly full: boolean;
  /** Always accepts the bytes; the caller checks `full` and `pending`. */
  write(page: Framed): void;
  /** Ends the response after the pending bytes, with trailers (RFC 9110 §6.5) where the connection supports them. */
  end(trailers?: Readonly<Record<string, string>>): void;
  /** Cuts the connection immediately. */
  destroy(): void;
}

/** What a sink reports to its subscriber. */
export interface SinkListener {
  /** There is room again after `full`. */
  onDrain(): void;
  /** The client has ended its side. It may still read, but is indistinguishable from a client that has disconnected. */
  onHalfClose(): void;
  /** The connection is closed, by either side. Called once. */
  onClose(): void;
}
