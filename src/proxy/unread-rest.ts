import type { Sink } from "../hub/sink.ts";
import type { IdleWatch, Watched } from "./idle-watch.ts";

/** Ends a response that its target has completed. A client that stops reading before the end of it is disconnected. */
export function endWithin(idle: IdleWatch, sink: Sink, trailers: Readonly<Record<string, string>> | undefined): void {
  sink.end(trailers);
  if (sink.pending > 0) idle.add(new UnreadRest(idle, sink));
}

class UnreadRest implements Watched {
  heardAt = 0;
  readonly #idle: IdleWatch;
  readonly #sink: Sink;
  #sent: number;

  constructor(idle: IdleWatch, sink: Sink) {
    this.#idle = idle;
    this.#sink = sink;
    this.#sent = sink.sent;
  }

  onIdle(): void {
    const { pending, sent } = this.#sink;
    const isStalled = pending > 0 && sent === this.#sent;
    this.#sent = sent;
    if (pending > 0 && !isStalled) return this.#idle.touch(this);
    this.#idle.remove(this);
    if (isStalled) this.#sink.destroy();
  }
}
