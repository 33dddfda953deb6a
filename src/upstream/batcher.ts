import type { SseEvent } from "../sse/index.ts";
import type { Overlap } from "./overlap.ts";
import type { EventCounter } from "./source.ts";
import type { UpstreamBatch, UpstreamEvent } from "./upstream.ts";

/** Prefix of the event types that Spillway itself sends. They describe its log, and are not events of the source. */
const reservedPrefix = "spillway.";

/** The reserved types that report missing events. The other ones are ignored. */
const gapTypes: ReadonlySet<string> = new Set(["spillway.gap", "spillway.reset"]);

/** What a {@link Batcher} needs to know about its connection. */
export interface BatcherOptions<Input = Uint8Array> {
  /** The last event id that the connection resumed with. */
  readonly cursor: string | undefined;
  /** Detects events that the source repeats after a resume. */
  readonly overlap: Overlap | undefined;
  /** True if the source is a Spillway: its first event may be a greeting, and reserved types describe its log. */
  readonly spillway: boolean;
  /** The last event id of a client that has read the whole log; `undefined` before the first event: it may be any. */
  readonly heldId: string | undefined;
  /** Creates the decoder of the connection, which passes on each block when it is complete. */
  createDecoder(cursor: string, onBlock: (block: Block) => void): Decoder<Input>;
  /** Called for each event of the source, and again if it is dropped as a repeat or because its type is reserved. */
  onCount(counter: EventCounter): void;
}

/** An event with the last event id after it, or the id of a block without an event. */
export type Block = BlockEvent | string;

/** An event of a connection, in the form that all of a stream's formats share. */
export interface BlockEvent extends SseEvent {
  /** The channel, if the format has one. */
  readonly channel?: string | undefined;
}

/** Splits what arrives into blocks. */
export interface Decoder<Input = Uint8Array> {
  /**
   * Takes the next bytes, or the next whole messages.
   * @throws {Error} if the rest of the connection cannot be decoded, after all preceding blocks were passed on.
   */
  push(input: Input): void;
}

/** Turns what one connection receives into batches. */
export interface Batcher<Input = Uint8Array> {
  /**
   * Takes the next input and yields the events that they complete, in order: usually one batch.
   * @throws {Error} what the decoder throws, after all preceding events were yielded.
   */
  push(input: Input): AsyncGenerator<UpstreamBatch, void, undefined>;
}

export function createBatcher<Input = Uint8Array>(options: BatcherOptions<Input>): Batcher<Input> {
  return new BatchMaker(options);
}

class BatchMaker<Input> implements Batcher<Input> {
  readonly #options: BatcherOptions<Input>;
  readonly #decoder: Decoder<Input>;
  readonly #overlap: Overlap | undefined;
  #blocks: Block[] = [];
  #greeted: boolean;
  /** The last event id of the blocks taken so far. */
  #lastEventId: string;
  /** The cursor after the last batch. */
  #cursor: string;
  #heldId: string | undefined;
  /** Whether the last id was that of a repeat, which is older than the cursor. */
  #behind = true;

  constructor(options: BatcherOptions<Input>) {
    this.#options = options;
    this.#overlap = options.overlap;
    this.#greeted = !options.spillway;
    this.#cursor = options.cursor ?? "";
    this.#lastEventId = this.#cursor;
    this.#heldId = options.heldId;
    this.#decoder = options.createDecoder(this.#cursor, (block) => this.#blocks.push(block));
  }

  async *push(input: Input): AsyncGenerator<UpstreamBatch, void, undefined> {
    try {
      this.#decoder.push(input);
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
        const found = this.#eventOf(block);
        const event = found && this.#identified(found);
        const repeated = this.#overlap?.open === true && (await this.#repeats(this.#overlap, block, event));
        if (event && !repeated) events.push(event);
        if (found) this.#heldId = found.lastEventId;
      }
      this.#lastEventId = typeof block === "string" ? block : block.lastEventId;
    }
    yield* this.#close(events, gap);
  }

  /** The event of the source in this block, if there is one. */
  #eventOf(block: Block): BlockEvent | undefined {
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
  #identified({ event, data, id, lastEventId, channel }: BlockEvent): UpstreamEvent {
    const held = id ?? (lastEventId === this.#heldId ? undefined : lastEventId);
    return { event, data, id: held, ...(channel !== undefined && { channel }) };
  }

  async #repeats(overlap: Overlap, block: Block, event: UpstreamEvent | undefined): Promise<boolean> {
    const id = typeof block === "string" ? block : block.id;
    if (event === undefined && id !== undefined) await overlap.passed(id);
    const repeated = event !== undefined && (await overlap.repeats(event, id));
    if (repeated) this.#options.onCount("repeated");
    if (id !== undefined) this.#behind = repeated || event === undefined;
    return repeated;
  }

  *#close(events: readonly UpstreamEvent[], gap: boolean): Generator<UpstreamBatch, void, undefined> {
    // While the source repeats events, their ids are older than the cursor, and resuming there would repeat even more.
    const moved = !(this.#overlap?.open && this.#behind) && this.#lastEventId !== this.#cursor;
    if (moved) this.#cursor = this.#lastEventId;
    if (events.length > 0 || gap || moved) yield { events, gap, cursor: moved ? this.#cursor : undefined };
  }
}
