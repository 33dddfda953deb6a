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
  heardAt = 0;
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
  /** How many bytes are held back that may begin a byte order mark; `undefined` once the start has passed. */
  #held: number | undefined = 0;

  write(page: Framed): void {
    const started = this.#held === undefined ? page : this.#start(page);
    if (!started) return;
    const { payload } = started;
    for (let i = Math.max(0, payload.length - 3); i < payload.length; i++)
      this.#tail = ((this.#tail << 8) | payload[i]!) & 0xffffff;
    this.send(started);
  }

  /** Removes a byte order mark behind a heartbeat, where it would be a part of the first line. */
  #start(page: Framed): Framed | undefined {
    if (page.payload.length === 0) return undefined;
    if (!this.hasBeaten) {
      this.#held = undefined;
      return page;
    }
    const bytes = Buffer.concat([mark.subarray(0, this.#held), page.payload]);
    if (bytes.length < mark.length && mark.subarray(0, bytes.length).equals(bytes)) {
      this.#held = bytes.length;
      return undefined;
    }
    this.#held = undefined;
    const rest = mark.equals(bytes.subarray(0, mark.length)) ? bytes.subarray(mark.length) : bytes;
    return rest.length > 0 ? frame(rest) : undefined;
  }

  protected isBetweenBlocks(): boolean {
    if (this.#held) return false;
    const [third, second, last] = [this.#tail >> 16, (this.#tail >> 8) & 0xff, this.#tail & 0xff];
    if (!isLineEnd(last)) return false;
    return second === cr && last === lf ? isLineEnd(third) : isLineEnd(second);
  }
}

function isLineEnd(byte: number): boolean {
  return byte === lf || byte === cr;
}
