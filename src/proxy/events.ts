import type { Framed } from "../hub/sink.ts";
import { createParser, encodeComment, encodeEvent, encodeId, SseError, type SseEvent } from "../sse/index.ts";
import { encodeResult, encodeSkipped, toTransformEvent } from "../transform/encode.ts";
import { isPromise } from "../transform/run.ts";
import type { Transform, TransformContext, TransformResult } from "../transform/transform.ts";
import type { FilterEnds } from "./exchange.ts";
import { frame } from "./frame.ts";
import { HeartbeatFilter } from "./heartbeat.ts";
import type { IdleWatch } from "./idle-watch.ts";
import type { TransformOptions } from "./options.ts";

/** What happens to the events of one response. */
export interface EventChanges {
  readonly transform: Transform;
  readonly context: TransformContext;
  readonly onError: TransformOptions["onError"];
  /** Called for each event for which the transform failed, and for a stream that cannot be parsed. */
  onFailure(error: unknown): void;
}

/** Characters of encoded events that are written at once. */
const writeSize = 64 * 1024;

/** An event that waits for its turn, or a block that is already encoded. */
type Item = SseEvent | string;

/**
 * Parses the body as an event stream, and writes the events that the transform returns. While a transform is pending,
 * or the client's buffer is full, it is full itself: the target is paused, and what it had sent waits in a queue.
 */
export class EventFilter extends HeartbeatFilter {
  readonly #changes: EventChanges;
  readonly #parser = createParser({
    onEvent: (event) => this.#take(event),
    onId: (id) => this.#take(encodeId(id)),
    onRetry: (ms) => this.#take(`retry: ${ms}\n\n`),
    onComment: (text) => this.#take(encodeComment(text.replace(/^ /, ""))),
  });
  #queue: Item[] = [];
  /** The position in `#queue` of the next item. */
  #next = 0;
  /** Encoded blocks that are not written yet. */
  #text = "";
  #isPending = false;
  #closed = false;
  /** Ends the response, once the queue is empty. */
  #end: (() => void) | undefined;

  constructor(ends: FilterEnds, silence: IdleWatch | undefined, changes: EventChanges) {
    super(ends, silence);
    this.#changes = changes;
  }

  override get full(): boolean {
    return this.#isBusy || this.sink.full;
  }

  write({ payload }: Framed): void {
    if (this.#closed) return;
    try {
      this.#parser.push(payload);
    } catch (error) {
      if (!(error instanceof SseError)) throw error;
      this.#changes.onFailure(error);
      this.#cut();
    }
    this.#flush();
  }

  override end(trailers?: Readonly<Record<string, string>>): void {
    this.#end = () => super.end(trailers);
    if (!this.#isBusy) this.#end();
  }

  override destroy(): void {
    this.#close();
    super.destroy();
  }

  override onDrain(): void {
    this.#continue();
  }

  override onClose(): void {
    this.#close();
    super.onClose();
  }

  /** Only whole blocks are written. */
  protected isBetweenBlocks(): boolean {
    return true;
  }

  get #isBusy(): boolean {
    return this.#isPending || this.#next < this.#queue.length;
  }

  /** Cuts the response behind what was received so far. */
  #cut(): void {
    this.#flush();
    this.destroy();
    this.exchange.onClose();
  }

  #close(): void {
    this.#closed = true;
    this.#queue = [];
    this.#next = 0;
    this.#text = "";
    this.#end = undefined;
  }

  #take(item: Item): void {
    if (this.full) this.#queue.push(item);
    else this.#handle(item);
  }

  #handle(item: Item): void {
    if (this.#closed) return;
    if (typeof item === "string") this.#text += item;
    else this.#transform(item);
    if (this.#text.length >= writeSize) this.#flush();
  }

  #transform(event: SseEvent): void {
    const { transform, context } = this.#changes;
    try {
      const result = transform(toTransformEvent(event), context);
      if (isPromise(result)) return this.#await(event, result);
      this.#text += encodeResult(result, event);
    } catch (error) {
      this.#fail(event, error);
    }
  }

  #await(event: SseEvent, pending: PromiseLike<TransformResult>): void {
    this.#isPending = true;
    this.#flush();
    const settle = (add: () => void): void => {
      this.#isPending = false;
      if (this.#closed) return;
      try {
        add();
      } catch (error) {
        this.#fail(event, error);
      }
      this.#continue();
    };
    pending.then(
      (result) => settle(() => (this.#text += encodeResult(result, event))),
      (error: unknown) => settle(() => this.#fail(event, error)),
    );
  }

  #fail(event: SseEvent, error: unknown): void {
    const { onError, onFailure } = this.#changes;
    onFailure(error);
    if (onError === "stop") this.#cut();
    else this.#text += onError === "pass" ? encodeEvent(event) : encodeSkipped(event);
  }

  /** Handles the queue until the next pending transform, then asks for more. */
  #continue(): void {
    while (!this.#isPending && !this.sink.full && this.#next < this.#queue.length)
      this.#handle(this.#queue[this.#next++]!);
    this.#flush();
    if (this.#isBusy) return;
    this.#queue = [];
    this.#next = 0;
    if (this.#end) this.#end();
    else if (!this.sink.full && !this.#closed) this.exchange.onDrain();
  }

  #flush(): void {
    if (this.#text === "") return;
    const text = this.#text;
    this.#text = "";
    this.send(frame(Buffer.from(text)));
  }
}
