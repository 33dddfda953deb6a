import type { Framed, Sink, SinkListener } from "../hub/sink.ts";
import type { BodyFilter, FilterEnds } from "./exchange.ts";
import { frame } from "./frame.ts";
import type { IdleWatch, Watched } from "./idle-watch.ts";

/** An empty comment. Readers skip it. */
const beat = frame(Buffer.from(":\n\n"));

/** A byte order mark, which is one only at the start. */
const mark = Buffer.from("\uFEFF");

const lf = 0x0a;
const cr = 0x0d;

/** A filter that sends a comment to the client after each silence. */
export abstract class HeartbeatFilter implements BodyFilter, Watched {
  protected readonly sink: Sink;
  protected readonly exchange: SinkListener;
  protected hasBeaten = false;
  readonly #silence: IdleWatch | undefined;

  /** @param silence reports when nothing was written for the interval of the heartbeats; absent for no heartbeats */
  constructor({ sink, exchange }: FilterEnds, silence: IdleWatch | undefined) {
    this.sink = sink;
    this.exchange = exchange;
    this.#silence = silence;
    silence?.add(this);
  }

  get pending(): number {
    return this.sink.pending;
  }

  get sent(): number {
    return this.sink.sent;
  }

  get full(): boolean {
    return this.sink.full;
  }

  abstract write(page: Framed): void;

  end(trailers?: Readonly<Record<string, string>>): void {
    this.#silence?.remove(this);
    this.sink.end(trailers);
  }

  destroy(): void {
    this.#silence?.remove(this);
    this.sink.destroy();
  }

  onDrain(): void {
    this.exchange.onDrain();
  }

  onHalfClose(): void {
    this.exchange.onHalfClose();
  }

  onClose(): void {
    this.#silence?.remove(this);
    this.exchange.onClose();
  }

  onIdle(): void {
    if (this.sink.full || !this.isBetweenBlocks()) return;
    this.hasBeaten = true;
    this.send(beat);
  }

  /** Whether what was written ends with a blank line, so that a comment does not become part of an event. */
  protected abstract isBetweenBlocks(): boolean;

  protected send(page: Framed): void {
    this.#silence?.touch(this);
    this.sink.write(page);
  }
}

/** Passes the body on as it is, and adds heartbeats. */
export class RawHeartbeatFilter extends HeartbeatFilter {
  /** The last three bytes, as a number. A block may begin at the start. */
  #tail = (lf << 8) | lf;
  #isEmpty = true;

  write(page: Framed): void {
    const { payload } = page;
    for (let i = Math.max(0, payload.length - 3); i < payload.length; i++)
      this.#tail = ((this.#tail << 8) | payload[i]!) & 0xffffff;
    // Behind a heartbeat, a byte order mark would be a part of the first line.
    const isMarked = this.#isEmpty && this.hasBeaten && payload.length >= 3 && mark.equals(payload.subarray(0, 3));
    this.#isEmpty = false;
    this.send(isMarked ? frame(payload.subarray(3)) : page);
  }

  protected isBetweenBlocks(): boolean {
    const [third, second, last] = [this.#tail >> 16, (this.#tail >> 8) & 0xff, this.#tail & 0xff];
    if (!isLineEnd(last)) return false;
    return second === cr && last === lf ? isLineEnd(third) : isLineEnd(second);
  }
}

function isLineEnd(byte: number): boolean {
  return byte === lf || byte === cr;
}
