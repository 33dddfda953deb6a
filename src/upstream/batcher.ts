import { createParser, type Parser, type SseEvent } from "../sse/index.ts";
import type { Overlap } from "./overlap.ts";
import type { UpstreamBatch, UpstreamEvent } from "./upstream.ts";

/** Prefix of the event types that Spillway itself sends. They describe its log, and are not events of the source. */
const reservedPrefix = "spillway.";

/** The reserved types that report missing events. The other ones are ignored. */
const gapTypes: ReadonlySet<string> = new Set(["spillway.gap", "spillway.reset"]);

/** What a {@link Batcher} needs to know about its connection. */
export interface BatcherOptions {
  /** The last event id that the connection resumed with. */
  readonly cursor: string | undefined;
  /** Detects events that the source repeats after a resume. */
  readonly overlap: Overlap | undefined;
  /** True if the source is a Spillway: its first event may be a greeting, and reserved types describe its log. */
  readonly spillway: boolean;
  /** The last event id of a client that has read the whole log; `undefined` before the first event: it may be any. */
  readonly heldId: string | undefined;
  readonly maxEventBytes: number;
  /** Called for a `retry:` line; in ms. */
  onRetry(ms: number): void;
  /** Called for each event of the source, and again if it is dropped as a repeat or because its type is reserved. */
  onCount(counter: "received" | "repeated" | "refused"): void;
}

/** Turns the bytes of one connection into batches. */
export interface Batcher {
  /**
   * Takes the next bytes and yields the events that they complete, in order: usually one batch.
   * @throws {SseError} `sse-event-too-large`, after all preceding events were yielded.
   */
  push(chunk: Uint8Array): AsyncGenerator<UpstreamBatch, void, undefined>;
}

/**
 * Maximum length of a line with an id or a type, in bytes, which is more than a publisher may use. Ids and types are
 * kept in memory and in indexes and shown on status pages, and a client could not resume at an event without its id. A
 * longer line therefore ends the connection, as an event that is too large does.
 */
const maxNameBytes = 2_048;

/** An event, or the id of a block without an event. */
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
  /** The cursor after the last batch. */
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
        // Events from before the gap must be logged before it.
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

  /** The event of the source in this block, if there is one. */
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

  /** Adds the id of an earlier block without an event, so that readers of the log get it with this event. */
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
    // While the source repeats events, their ids are older than the cursor, and resuming there would repeat even more.
    const moved = !this.#overlap?.open && this.#lastEventId !== this.#cursor;
    if (moved) this.#cursor = this.#lastEventId;
    if (events.length > 0 || gap || moved) yield { events, gap, cursor: moved ? this.#cursor : undefined };
  }
}
