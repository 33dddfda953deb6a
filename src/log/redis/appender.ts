import { SpillwayError } from "../../errors.ts";
import { pause } from "../../util/pause.ts";
import type { Appended, AppendOptions, NewEvent } from "../log.ts";
import { UnansweredError } from "./failure.ts";

/** An append that waits for its turn, or for its answer. */
export interface QueuedAppend {
  readonly events: readonly NewEvent[];
  readonly options: AppendOptions;
  /** When it was called, by `performance.now()`. */
  readonly since: number;
  resolve(appended: Appended): void;
  reject(error: SpillwayError): void;
}

/** What became of one append of a group. */
export interface AppendResult {
  readonly status: "appended" | "replayed" | "conflict" | "lease-lost";
  readonly first: number;
  readonly last: number;
}

/** What an appender needs of its log. */
export interface AppenderSettings {
  /**
   * Has the server append a group, unless it has appended that of this number before: then it answers as it did then. Later a group of
   * this number or an earlier one is appended no more. `group` is asked for when there is a connection.
   * @throws {SpillwayError} Nothing was appended.
   * @throws {UnansweredError} It may have been.
   */
  send(number: number, group: () => readonly QueuedAppend[]): Promise<readonly AppendResult[]>;
}

/** Appends of one log: what is called while a group is under way shares the next one. */
export interface Appender {
  append(events: readonly NewEvent[], options: AppendOptions): Promise<Appended>;
  /** Rejects what has waited for too long; to be called about once a second. */
  expire(): void;
  /** Resolves once nothing is queued or under way. */
  idle(): Promise<void>;
  /** Rejects everything, now and from now on. */
  fail(error: SpillwayError): void;
}

/** A group ends with the append that reaches one of these: it bounds how long the server is busy with it. */
const groupEvents = 2_048;
const groupCharacters = 2 * 1024 * 1024;

/** How long an append may take, in ms. */
const patience = 10_000;
/** The pause before a group is sent again, in ms. */
const retryDelay = 100;

/**
 * Makes an appender.
 *
 * A group whose answer is lost is sent again under the same number until it is answered, so that it is never appended twice. If that
 * takes too long its callers are told that the store is unavailable, and an empty group is sent under its number instead: either
 * the answer says that the first one was appended, or it never will be. In the first case the same call, made again with the same
 * array of events, is answered with what was appended.
 */
export function createAppender({ send }: AppenderSettings): Appender {
  const queue: QueuedAppend[] = [];
  const applied = new WeakMap<readonly NewEvent[], Appended>();
  const stopping = new AbortController();
  let underWay: { readonly group: readonly QueuedAppend[]; abandoned: boolean } | undefined;
  let running = false;
  let number = 0;
  let failure: SpillwayError | undefined;
  const idlers: (() => void)[] = [];

  /** Resolves to the results; `undefined` if nothing was appended and the callers know why. */
  async function deliver(group: readonly QueuedAppend[]): Promise<readonly AppendResult[] | undefined> {
    number++;
    let sent = false;
    while (!failure) {
      try {
        return await send(number, () => (underWay!.abandoned ? [] : group));
      } catch (error) {
        if (error instanceof SpillwayError && !sent) {
          rejectAll(group, error);
          return undefined;
        }
        sent ||= error instanceof UnansweredError;
        await pause(retryDelay, stopping.signal);
      }
    }
    return undefined;
  }

  async function run(): Promise<void> {
    running = true;
    // Not at once: the appends of one turn are to go together.
    await Promise.resolve();
    while (queue.length > 0 && !failure) {
      const group = queue.splice(0, groupLength(queue)).filter((append) => !claim(append));
      if (group.length === 0) continue;
      underWay = { group, abandoned: false };
      const results = await deliver(group);
      const take = underWay.abandoned ? remember : settle;
      underWay = undefined;
      results?.forEach((result, index) => take(group[index]!, result));
    }
    running = false;
    for (const resolve of idlers.splice(0)) resolve();
  }

  /** Answers a call that was made before, and turned out to have been carried out. */
  function claim({ events, resolve }: QueuedAppend): boolean {
    const appended = applied.get(events);
    if (!appended) return false;
    applied.delete(events);
    resolve(appended);
    return true;
  }

  /** Keeps the answer for whoever calls again. */
  function remember({ events }: QueuedAppend, { status, first, last }: AppendResult): void {
    if (status === "appended" || status === "replayed")
      applied.set(events, { first, last, replayed: status === "replayed" });
  }

  return {
    append(events, options) {
      if (failure) return Promise.reject(failure);
      return new Promise((resolve, reject) => {
        queue.push({ events, options, since: performance.now(), resolve, reject });
        if (!running) void run();
      });
    },
    expire() {
      const latest = performance.now() - patience;
      const late = queue.findIndex(({ since }) => since > latest);
      rejectAll(queue.splice(0, late === -1 ? queue.length : late), overdue());
      if (!underWay || underWay.abandoned || underWay.group[0]!.since > latest) return;
      underWay.abandoned = true;
      rejectAll(underWay.group, overdue());
    },
    idle: () => (running ? new Promise((resolve) => idlers.push(resolve)) : Promise.resolve()),
    fail(error) {
      if (failure) return;
      failure = error;
      stopping.abort();
      rejectAll(queue.splice(0), error);
      if (underWay) rejectAll(underWay.group, error);
    },
  };
}

function settle({ resolve, reject }: QueuedAppend, { status, first, last }: AppendResult): void {
  if (status === "conflict") reject(new SpillwayError("idempotency-conflict"));
  else if (status === "lease-lost") reject(new SpillwayError("lease-lost"));
  else resolve({ first, last, replayed: status === "replayed" });
}

function overdue(): SpillwayError {
  return new SpillwayError("store-unavailable", "the log's server does not answer");
}

function rejectAll(appends: readonly QueuedAppend[], error: SpillwayError): void {
  for (const { reject } of appends) reject(error);
}

function groupLength(queue: readonly QueuedAppend[]): number {
  let events = 0;
  let characters = 0;
  for (const [index, append] of queue.entries()) {
    events += append.events.length;
    for (const { data } of append.events) characters += data.length;
    if (events >= groupEvents || characters >= groupCharacters) return index + 1;
  }
  return queue.length;
}
