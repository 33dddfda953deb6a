import { eventBytes } from "../log/event-bytes.ts";
import type { NewEvent } from "../log/log.ts";
import type { Framed, Sink, SinkListener } from "../hub/sink.ts";
import type { Logger } from "../util/logger.ts";
import { BlockSplitter } from "./blocks.ts";
import { dialects, type DialectRules } from "./dialect.ts";
import type { RunJournal } from "./journal.ts";
import { hashOf, toRecord, type EndState, type Run, type RunEnd, type RunHead } from "./record.ts";

/** Why a run ends other than by its response. */
export interface Ending {
  readonly state: EndState;
  /** A code, for the state of the run and for clients. */
  readonly reason?: string | undefined;
  /** For clients that are told of an error. */
  readonly message?: string | undefined;
}

export interface WriterOptions {
  readonly run: Run;
  readonly journal: RunJournal;
  /** See {@link RunLimits.bytes}. */
  readonly maxBytes: number;
  readonly logger: Logger;
  /** The end is stored. Called once. */
  onEnd(end: RunEnd): void;
}

/** Bytes that wait to be stored, from which on the source is paused. */
const maxPending = 256 * 1024;

/** How long a response may go on after its last block, in ms. */
const lastBlockGrace = 1000;

/**
 * Stores a response, block by block. It is the sink of the source: of a target, or of a program. There is one append at
 * a time; what arrives meanwhile is stored together.
 */
export class RunWriter implements Sink {
  readonly run: Run;
  pending = 0;
  sent = 0;
  readonly #options: WriterOptions;
  readonly #rules: DialectRules;
  readonly #splitter = new BlockSplitter((block) => this.#take(block));
  #source: SinkListener | undefined;
  #queue: NewEvent[] = [];
  #ending: Ending | undefined;
  #isFailure = false;
  #isStoring = false;
  #isStopped = false;
  /** Whether the source is done, or was told to stop. */
  #isSourceDone = false;
  #events = 0;
  #bytes = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.run = options.run;
    this.#rules = dialects[options.run.start.dialect];
  }

  /** What is stored so far. */
  get counts(): Pick<RunEnd, "events" | "bytes"> {
    return { events: this.#events, bytes: this.#bytes };
  }

  /** Whether the run is over, or about to be. */
  get isOver(): boolean {
    return this.#ending !== undefined;
  }

  get full(): boolean {
    return this.pending > maxPending;
  }

  /** Stops `source` when the run is over. */
  attach(source: SinkListener): void {
    this.#source = source;
    if (this.#ending) this.#stopSource();
  }

  /** Stores the head of the response, whose body follows. */
  begin(head: RunHead): void {
    if (this.#ending) return;
    this.#add(toRecord("head", this.run.token, head));
    void this.#store();
  }

  write({ payload }: Framed): void {
    if (this.#ending) return;
    this.#splitter.push(payload);
    if (this.#bytes + this.#splitter.unfinished > this.#options.maxBytes) this.#exceed();
    void this.#store();
  }

  /** The response is complete. */
  end(): void {
    this.#isSourceDone = true;
    if (!this.#ending) this.#splitter.end();
    this.#finish({ state: this.#isFailure ? "failed" : "completed" });
  }

  /** The response was cut. */
  destroy(): void {
    this.#isSourceDone = true;
    this.#finish({ state: "truncated", reason: "target-failed", message: "the response was cut off" });
  }

  /** Ends the run. What was received is kept. */
  stop(ending: Ending): void {
    this.#finish(ending);
    this.#stopSource();
  }

  /** The run has ended in the log. Stops the source if that was not this writer's doing. */
  abandon(): void {
    if (this.#ending) return;
    this.#isStopped = true;
    this.#ending = { state: "truncated" };
    this.#queue = [];
    this.#stopSource();
  }

  #take(block: string): void {
    if (this.#ending) return;
    const { token, seq, start } = this.run;
    const facts = this.#rules.inspect(block);
    this.#add(toRecord("block", token, block));
    this.#events++;
    if (facts?.responseId !== undefined)
      this.#queue.push(toRecord("alias", token, String(seq), aliasOf(start, facts.responseId)));
    this.#isFailure ||= facts?.isFailure === true;
    if (this.#bytes > this.#options.maxBytes) return this.#exceed();
    if (!facts?.isLast) return;
    this.#finish({ state: this.#isFailure ? "failed" : "completed" });
    // Most responses end now. One that does not is not waited for.
    if (!this.#isSourceDone) setTimeout(() => this.#stopSource(), lastBlockGrace).unref();
  }

  #exceed(): void {
    const message = "the response is larger than the gateway stores (limits.bytes)";
    this.stop({ state: "truncated", reason: "too-large", message });
  }

  #add(event: NewEvent): void {
    const bytes = eventBytes(event);
    this.#queue.push(event);
    this.#bytes += bytes;
    this.pending += bytes;
  }

  #finish(ending: Ending): void {
    if (this.#ending) return;
    this.#ending = ending;
    void this.#store();
  }

  #stopSource(): void {
    if (this.#isSourceDone || !this.#source) return;
    this.#isSourceDone = true;
    this.#source.onClose();
  }

  async #store(): Promise<void> {
    if (this.#isStoring) return;
    this.#isStoring = true;
    while (!this.#isStopped && (this.#queue.length > 0 || this.#ending)) {
      const [batch, ending] = [this.#queue, this.#ending];
      this.#queue = [];
      try {
        if (ending) return await this.#storeEnd(ending, batch);
        await this.#options.journal.append(batch);
        this.#stored();
      } catch (error) {
        return void this.#fail(error);
      }
    }
    this.#isStoring = false;
  }

  #stored(): void {
    const wasFull = this.full;
    this.sent += this.pending;
    this.pending = this.#queue.reduce((sum, event) => sum + eventBytes(event), 0);
    if (wasFull && !this.full && !this.#isSourceDone) this.#source?.onDrain();
  }

  async #storeEnd(ending: Ending, last: readonly NewEvent[]): Promise<void> {
    const end = toRunEnd(ending, this.#rules, this.counts);
    await this.#options.journal.end(this.run, end, last);
    this.pending = 0;
    this.#options.onEnd(end);
  }

  /** The store takes nothing: the run is over, which is stored as soon as possible. */
  async #fail(err: unknown): Promise<void> {
    const { journal, logger, onEnd } = this.#options;
    if (!journal.closing.aborted) logger.error({ err }, "a run cannot be stored");
    this.#isStopped = true;
    this.#queue = [];
    this.pending = 0;
    const message = "the response could not be stored";
    const ending = { state: "truncated", reason: "store-unavailable", message } as const;
    this.#ending ??= ending;
    this.#stopSource();
    const end = toRunEnd(ending, this.#rules, this.counts);
    await journal.endSurely(this.run, end);
    onEnd(end);
  }
}

/** By what the run of a response is found that its API knows by an id. */
export function aliasOf({ owner, shared }: Pick<Run["start"], "owner" | "shared">, id: string): string {
  return `alias ${shared ? "" : owner} ${hashOf(id)}`;
}

/** The end of a run as it is stored. */
export function toRunEnd(
  { state, reason, message }: Ending,
  rules: DialectRules,
  counts: Pick<RunEnd, "events" | "bytes">,
): RunEnd {
  const isTold = message !== undefined && (state === "truncated" || state === "failed");
  const text =
    state === "cancelled" ? rules.cancelled : isTold ? (rules.failure?.(reason ?? state, message) ?? "") : "";
  return { state, reason, text, cut: isTold && !rules.failure, freed: false, ...counts };
}
