import type { EventCondition, Log } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import { pause } from "../util/pause.ts";
import { longestTimer } from "../util/timeout.ts";
import { createAttempts, type Attempts } from "./attempts.ts";
import type { DeadLetter, DeadLetters } from "./dead-letters.ts";
import type { Endpoint, Outcome } from "./endpoint.ts";
import { createHealth, type Health } from "./health.ts";
import type { Journal } from "./journal.ts";
import { Lanes, type Lane, type TakenEvent } from "./lanes.ts";
import type { DeliveryOptions } from "./options.ts";
import { createReader, type Reader } from "./reader.ts";
import { createReplay, type Replaying } from "./replay.ts";
import { resumeFrom } from "./resume.ts";
import { createSaver, type Saver } from "./saver.ts";
import type { DeliveryState } from "./state.ts";

/** A delivery that runs in this process. */
export interface Run {
  state(): DeliveryState;
  readonly activity: Activity;
  start(): void;
  /** To be called when the journal has a new entry. */
  onEntry(): void;
  /** Ends after the attempts in flight, which are cut after `grace` ms. Resolves when the last state is stored. */
  stop(grace: number): Promise<void>;
}

/** What a run does at the moment. */
export interface Activity {
  /** Whether the last attempts have all failed. */
  readonly failing: boolean;
  /** Channels, or events without an order, whose next event waits for a retry. */
  readonly waiting: number;
  /** When the next retry is due, in ms since 1970; `undefined` if there is none. */
  readonly retryAt: number | undefined;
}

export interface RunParts {
  readonly options: DeliveryOptions;
  readonly log: Log;
  /** Conditions on the events in addition to the options' names. */
  readonly where: readonly EventCondition[];
  readonly journal: Journal;
  readonly endpoint: Endpoint;
  /** Absent: events that cannot be delivered are dropped. */
  readonly dead: DeadLetters | undefined;
  /** Stores a state. */
  save(state: DeliveryState): Promise<void>;
  readonly logger: Logger;
}

/** Characters of data in memory, of the events that wait for their turn. */
const bufferLimit = 16 * 1024 * 1024;

/** How late it may be stored that events were read which the filter does not let pass, in ms. */
const positionInterval = 1_000;

/** How long nothing is read after the store has failed, in ms. */
const storeDelay = 1_000;

/** Creates a run from the last state in the journal, and stores its first state. Nothing is sent before `start`. */
export async function createRun(parts: RunParts): Promise<Run> {
  const run = new DeliveryRun(parts);
  await parts.save(run.state());
  return run;
}

/** A class, because its parts share what changes with every attempt. */
class DeliveryRun implements Run {
  readonly #parts: RunParts;
  readonly #lanes: Lanes;
  readonly #reader: Reader;
  readonly #health: Health;
  readonly #attempts: Attempts;
  readonly #replay: Replaying;
  readonly #saver: Saver;
  readonly #ending = new AbortController();
  /** All events up to this number are in a lane, or done. */
  #taken: number;
  /** Commands up to this number of the journal were carried out. */
  #handled: number;
  /** Attempts in flight, and reads for them. */
  #active = 0;
  #isStopping = false;
  #isReading = false;
  #retryAt = Infinity;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer continues, in ms since 1970; `Infinity` if it is not set. */
  #timerAt = Infinity;
  #unwatch: () => void = () => {};
  #onIdle: () => void = () => {};

  constructor(parts: RunParts) {
    const { options, log, where, journal, endpoint, dead, save, logger } = parts;
    const { initial, first } = resumeFrom(journal.state, options, log, logger);
    this.#parts = parts;
    this.#lanes = new Lanes(options.order, initial.lanes);
    this.#reader = createReader(log, options, where, initial.taken, first);
    this.#health = createHealth(initial, logger);
    this.#attempts = createAttempts({
      log,
      retry: options.retry,
      endpoint,
      dead,
      lanes: this.#lanes,
      health: this.#health,
      logger,
      signal: this.#ending.signal,
    });
    this.#saver = createSaver(() => save(this.state()), logger);
    this.#replay = createReplay(initial.replay, {
      dead,
      send: (letter) => this.#resend(letter),
      onChange: () => this.#onChange(),
      onStoreFailure: (error) => this.#onStoreFailure(error),
      logger,
    });
    this.#taken = initial.taken;
    this.#handled = initial.handled;
  }

  start(): void {
    // An endpoint that takes nothing must cost nothing for each event of its stream.
    this.#unwatch = this.#parts.log.watch(() => this.#mayTake() && this.#pump());
    this.onEntry();
  }

  state(): DeliveryState {
    const { log, options } = this.#parts;
    return {
      stream: options.stream,
      epoch: log.epoch,
      order: options.order,
      taken: this.#taken,
      lanes: this.#lanes.stored(),
      replay: this.#replay.state(),
      handled: this.#handled,
      ...this.#health.state(),
    };
  }

  get activity(): Activity {
    const retryAt = this.#retryAt < Infinity ? this.#retryAt : undefined;
    return { failing: this.#health.failing, waiting: this.#lanes.waiting, retryAt };
  }

  onEntry(): void {
    const { journal, logger } = this.#parts;
    const commands = journal.commands.filter(({ seq }) => seq > this.#handled);
    this.#handled = journal.head;
    for (const { command } of commands) {
      logger.info({ command }, "command received");
      if (command === "pause") this.#health.pause();
      else if (command === "retry") this.#replay.start();
      else {
        this.#health.resume();
        this.#lanes.hurry();
      }
    }
    if (commands.length > 0) this.#saver.changed();
    this.#pump();
  }

  async stop(grace: number): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#timer);
    this.#unwatch();
    const idle = new Promise<void>((resolve) => (this.#onIdle = resolve));
    if (this.#active > 0) await Promise.race([idle, pause(grace, this.#ending.signal)]);
    this.#ending.abort();
    this.#parts.endpoint.close();
    await this.#saver.end();
  }

  #onChange(): void {
    this.#saver.changed();
    this.#pump();
  }

  /** Starts whatever can be done now. */
  #pump(): void {
    if (this.#isStopping) return this.#active === 0 ? this.#onIdle() : undefined;
    this.#retryAt = this.#lanes.wake(Date.now());
    this.#sendReady();
    if (this.#maySend()) void this.#replay.step();
    void this.#readOn();
    this.#wakeAt(Math.min(this.#retryAt, this.#health.until));
  }

  /** Continues at a time in ms since 1970. Every event of the stream comes by here, so the timer is kept if it fits. */
  #wakeAt(time: number): void {
    if (time === this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = time;
    if (time === Infinity) return;
    const wake = (): void => {
      this.#timerAt = Infinity;
      this.#pump();
    };
    this.#timer = setTimeout(wake, Math.min(time - Date.now() + 1, longestTimer));
  }

  #maySend(): boolean {
    return !this.#isStopping && !this.#health.held && this.#active < this.#parts.options.parallel;
  }

  #sendReady(): void {
    while (this.#maySend()) {
      const lane = this.#lanes.next();
      if (!lane) break;
      void this.#sendFirst(lane);
    }
  }

  #mayTake(): boolean {
    if (this.#isStopping || this.#health.held || this.#health.cautious) return false;
    return this.#lanes.ready < this.#parts.options.parallel && this.#lanes.buffered < bufferLimit;
  }

  /** Takes events from the log as long as they can be sent soon. */
  async #readOn(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      while (this.#mayTake() && (this.#reader.first || (await this.#readPage()))) {
        const { first } = this.#reader;
        if (first && !this.#lanes.fits(first)) break;
        this.#take(this.#reader.shift());
        this.#sendReady();
      }
    } catch (error) {
      await this.#onStoreFailure(error);
      setImmediate(() => this.#pump());
    }
    this.#isReading = false;
  }

  /** Resolves to whether a page was read, which may be empty. */
  async #readPage(): Promise<boolean> {
    if (this.#reader.position >= this.#parts.log.state().head) return false;
    await this.#reader.next();
    this.#saver.changed(positionInterval);
    return true;
  }

  /** Takes the event that was removed from the page, if there was one. */
  #take(event: TakenEvent | undefined): void {
    if (event && this.#lanes.take(event)) this.#health.tried();
    this.#taken = event && this.#reader.first ? event.seq : this.#reader.position;
  }

  /** Makes an attempt for the first event of a lane. */
  async #sendFirst(lane: Lane): Promise<void> {
    this.#active++;
    try {
      if (lane.queue.length > 0 || (await this.#load(lane))) await this.#attempts.send(lane);
      this.#saver.changed();
    } catch (error) {
      await this.#onStoreFailure(error);
      this.#lanes.putBack(lane);
    }
    this.#active--;
    this.#pump();
  }

  /** Resolves to whether the lane has an event. */
  async #load(lane: Lane): Promise<boolean> {
    const push = (events: readonly TakenEvent[]): void => this.#lanes.load(lane, events);
    await this.#reader.load(lane, () => this.#taken, push);
    if (lane.queue.length > 0) return true;
    // Nothing of it was left in the log, or the filter no longer lets it pass.
    this.#lanes.end(lane);
    return false;
  }

  async #resend(letter: DeadLetter): Promise<Outcome | undefined> {
    this.#active++;
    const outcome = await this.#attempts.resend(letter);
    this.#active--;
    return outcome;
  }

  async #onStoreFailure(error: unknown): Promise<void> {
    if (!this.#isStopping) this.#parts.logger.warn({ err: error }, "the delivery cannot read or write its streams");
    await pause(storeDelay, this.#ending.signal);
  }
}
