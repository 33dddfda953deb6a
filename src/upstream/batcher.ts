import { createParser, type Parser, type SseEvent } from "../sse/index.ts";
import type { Overlap } from "./overlap.ts";
import type { UpstreamBatch, UpstreamEvent } from "./upstream.ts";

/** Types with this prefix are a Spillway's own: they speak of its log, not of the source's events. */
const reservedPrefix = "spillway.";

/** Those of them that say: events are missing here. The others are of no use to us. */
const gapTypes: ReadonlySet<string> = new Set(["spillway.gap", "spillway.reset"]);

/** What a {@link Batcher} needs to know of its connection. */
export interface BatcherOptions {
  /** Where the connection resumed. */
  readonly cursor: string | undefined;
  /** What may come again after a resume. */
  readonly overlap: Overlap | undefined;
  /** True for a Spillway: its first event greets its client, and those of reserved types speak of its log. */
  readonly spillway: boolean;
  /** The id that a reader of the log holds at its end; `undefined` before the first event, where it may hold any. */
  readonly heldId: string | undefined;
  readonly maxEventBytes: number;
  /** A `retry:` line was read; in ms. */
  onRetry(ms: number): void;
  /** Called for each event of the source, and again for one that is dropped: as a repeat, or because its type is reserved. */
  onCount(counter: "received" | "repeated" | "refused"): void;
}

/** Makes batches of the bytes of one connection. */
export interface Batcher {
  /**
   * Takes the next bytes and yields what they complete, in order: as a rule one batch.
   * @throws {SseError} `sse-event-too-large`, after all that came before it was yielded.
   */
  push(chunk: Uint8Array): AsyncGenerator<UpstreamBatch, void, undefined>;
}

/**
 * Longest line with an id or a type: more than a publisher may give. They are held in memory, kept in indexes and shown by status pages,
 * and an event without its id could not be resumed at: a longer one ends the connection as an event that is too large does.
 */
const maxNameBytes = 2_048;

/** An event, or the id of a block that is no event. */
type Block = SseEvent | string;

export function createBatcher(options: BatcherOptions): Batcher {
  return new BatchMaker(options);
}

class BatchMaker implements Batcher {
  readonly #options: BatcherOptions;
  readonly #parser: Parser;
  readonly #overlap: Overlap | undefined;
  #blocks: Block[] = [];
  #greeted: boolean;
  /** The last event id of the blocks taken so far. */
  #lastEventId: string;
  /** The cursor the last batch left behind. */
  #cursor: string;
  #heldId: string | undefined;

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.#overlap = options.overlap;
    this.#greeted = !options.spillway;
    this.#cursor = options.cursor ?? "";
    this.#lastEventId = this.#cursor;
    this.#heldId = options.heldId;
    this.#parser = createParser({
      lastEventId: this.#cursor,
      maxEventBytes: options.maxEventBytes,
      maxNameBytes,
      onEvent: (event) => this.#blocks.push(event),
      onId: (id) => this.#blocks.push(id),
      onRetry: (ms) => options.onRetry(ms),
    });
  }

  async *push(chunk: Uint8Array): AsyncGenerator<UpstreamBatch, void, undefined> {
    try {
      this.#parser.push(chunk);
    } finally {
      const blocks = this.#blocks;
      this.#blocks = [];
      yield* this.#batches(blocks);
    }
  }

  async *#batches(blocks: readonly Block[]): AsyncGenerator<UpstreamBatch, void, undefined> {
    let events: UpstreamEvent[] = [];
    let gap = false;
    for (const block of blocks) {
      if (this.#options.spillway && typeof block !== "string" && gapTypes.has(block.event)) {
        // What came before the gap must not stand behind it.
        if (events.length > 0) yield* this.#close(events, gap);
        events = [];
        gap = true;
      } else {
        const event = this.#eventOf(block);
        const repeated = this.#overlap?.open === true && (await this.#repeats(this.#overlap, block, event));
        if (event && !repeated) events.push(this.#identified(event));
        if (event) this.#heldId = event.lastEventId;
      }
      this.#lastEventId = typeof block === "string" ? block : block.lastEventId;
    }
    yield* this.#close(events, gap);
  }

  /** The source's event in this block, if there is one. */
  #eventOf(block: Block): SseEvent | undefined {
    if (typeof block === "string") return undefined;
    const { spillway, onCount } = this.#options;
    const greeting = !this.#greeted && block.event === "connected";
    this.#greeted = true;
    const reserved = block.event.startsWith(reservedPrefix);
    if (spillway && (greeting || reserved)) return undefined;
    onCount("received");
    if (reserved) onCount("refused");
    return reserved ? undefined : block;
  }

  /** With the id of a block before it, where that had no event: readers of the log get it with this one. */
  #identified({ event, data, id, lastEventId }: SseEvent): UpstreamEvent {
    return { event, data, id: id ?? (lastEventId === this.#heldId ? undefined : lastEventId) };
  }

  async #repeats(overlap: Overlap, block: Block, event: SseEvent | undefined): Promise<boolean> {
    const passed = typeof block === "string" ? block : block.id;
    if (event === undefined && passed !== undefined) await overlap.passed(passed);
    const repeated = event !== undefined && (await overlap.repeats(event));
    if (repeated) this.#options.onCount("repeated");
    return repeated;
  }

  *#close(events: readonly UpstreamEvent[], gap: boolean): Generator<UpstreamBatch, void, undefined> {
    // While the source repeats itself its ids are older than the cursor: resuming at them would only repeat more.
    const moved = !this.#overlap?.open && this.#lastEventId !== this.#cursor;
    if (moved) this.#cursor = this.#lastEventId;
    if (events.length > 0 || gap || moved) yield { events, gap, cursor: moved ? this.#cursor : undefined };
  }
}
