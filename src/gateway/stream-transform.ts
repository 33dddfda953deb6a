import { setImmediate as nextTurn } from "node:timers/promises";
import { errorCodes, SpillwayError } from "../errors.ts";
import type { StreamTransformStatus } from "../http/gateway-status.ts";
import { reservedPrefix, type NewEvent } from "../log/log.ts";
import type { TransformOptions } from "../proxy/options.ts";
import { InvalidResult, type EventFields } from "../transform/encode.ts";
import { loadTransform } from "../transform/load.ts";
import { describeError, runTransform, transformErrorCode } from "../transform/run.ts";
import type { Transform, TransformContext } from "../transform/transform.ts";
import { withFields, withPauses, type Logger } from "../util/logger.ts";
import type { Mutable } from "../util/mutable.ts";
import { isName } from "../util/name.ts";
import { createSemaphore } from "../util/semaphore.ts";

/** What a stream does with its events before it stores them. */
export interface StreamTransformOptions extends TransformOptions {
  /** How long the promise of a transform may be pending, in ms. */
  readonly timeout: number;
}

/** What a stream's transforms have done since the start. */
export type TransformCounts = Mutable<Omit<StreamTransformStatus, "errors">> & {
  readonly errors: Mutable<StreamTransformStatus["errors"]>;
};

/** Creates counts of 0. */
export function createTransformCounts(): TransformCounts {
  const errors = { "transform-failed": 0, "transform-invalid": 0, "transform-timeout": 0 };
  return { transformed: 0, dropped: 0, errors, lastError: null };
}

/** Changes the events of a stream before they are stored: one after the other, in order. */
export interface StreamTransform {
  /**
   * What is stored in the place of an event of the source.
   * @throws {SpillwayError} a `transform-…` code if `onError` is `stop`; the reason of the signal.
   */
  ofSource(event: NewEvent, signal: AbortSignal): Promise<readonly NewEvent[]>;
  /**
   * Appends what is stored in the place of published events, in the order of the calls. Resolves as `append` does.
   * @throws {SpillwayError} a `transform-…` code if `onError` is `stop` or the results are too large; `overloaded`.
   */
  publish<T>(events: readonly NewEvent[], append: (events: readonly NewEvent[]) => Promise<T>): Promise<T>;
}

/** The parts of a {@link StreamTransform}. */
export interface StreamTransformParts extends StreamTransformOptions {
  readonly transform: Transform;
  /** What the transform gets as its context. */
  contextOf(published: boolean): TransformContext;
  /** Counts what it does. */
  readonly counts: TransformCounts;
  readonly logger: Logger;
}

/** How long transforms run without a turn of the event loop for everything else, in ms. */
const maxTurn = 10;

/** The largest size of what is stored in the place of one event, and of all events of one call, in characters. */
const maxLength = 16 * 1024 * 1024;

/** The largest number of calls that wait for their turn. */
const maxWaiting = 1_000;

/** Creates the transform of a stream. */
export function createStreamTransform(parts: StreamTransformParts): StreamTransform {
  const { transform, timeout, module, onError, counts, logger } = parts;
  const ingested = Object.freeze(parts.contextOf(false));
  const published = Object.freeze(parts.contextOf(true));
  const warn = withPauses(withFields(logger, { module }).warn);
  // Publishers wait for each other, and not the upstream for them.
  const turns = createSemaphore(1);
  let waiting = 0;
  let worked = 0;

  async function apply(event: NewEvent, context: TransformContext, signal?: AbortSignal): Promise<readonly NewEvent[]> {
    let results: readonly NewEvent[];
    const begun = performance.now();
    try {
      const run = runTransform(transform, { ...event, id: event.upstreamId }, context, { timeout, signal });
      results = toNewEvents(await run, event);
    } catch (error) {
      signal?.throwIfAborted();
      results = fail(error, event);
    }
    counts.transformed++;
    if (results.length === 0) counts.dropped++;
    worked += performance.now() - begun;
    if (worked >= maxTurn) {
      worked = 0;
      await nextTurn();
    }
    return results;
  }

  function fail(error: unknown, event: NewEvent): readonly NewEvent[] {
    const code = transformErrorCode(error);
    counts.errors[code]++;
    counts.lastError = code;
    warn({ code, ...describeError(error, module) }, "the transform failed for an event");
    if (onError === "stop") throw new SpillwayError(code, `${errorCodes[code]} (the stream's option transform)`);
    return onError === "pass" ? [event] : [];
  }

  async function applyAll(events: readonly NewEvent[]): Promise<readonly NewEvent[]> {
    const all: NewEvent[] = [];
    let length = 0;
    for (const [i, event] of events.entries()) {
      const results = await apply(event, published).catch((error: unknown) => {
        throw error instanceof SpillwayError ? at(i, error) : error;
      });
      all.push(...results);
      length += lengthOf(results);
      if (length > maxLength) throw at(i, tooLarge());
    }
    return all;
  }

  return {
    ofSource: (event, signal) => apply(event, ingested, signal),
    async publish(events, append) {
      if (waiting >= maxWaiting) throw new SpillwayError("overloaded", "too many publishers wait for the transform");
      waiting++;
      const turn = turns.run(async () => ({ appended: append(await applyAll(events)) }));
      const { appended } = await turn.finally(() => waiting--);
      return appended;
    },
  };
}

/** Loads the transform of a module for the option `field`. */
export type LoadTransform = (module: string, field: string) => Transform | Promise<Transform>;

/** The transform of a stream's options, which a reload may replace. */
export interface ConfiguredTransform {
  /** `undefined` for a stream without a transform. */
  current(): StreamTransform | undefined;
  /** What it has done; `undefined` for a stream without a transform. */
  status(): StreamTransformStatus | undefined;
  /**
   * Loads the module of other options; the function that it resolves to applies them.
   * @throws {SpillwayError} `config-invalid`
   */
  prepare(options: StreamTransformOptions | undefined): Promise<() => void>;
}

/**
 * Creates the transform of a stream; there is none until it is prepared.
 * @param load loads a module, or finds the one that was loaded last
 */
export function createConfiguredTransform(
  stream: string,
  logger: Logger,
  load: LoadTransform = loadTransform,
): ConfiguredTransform {
  const counts = createTransformCounts();
  let current: StreamTransform | undefined;
  return {
    current: () => current,
    status: () => current && counts,
    async prepare(options) {
      const transform = options && (await load(options.module, `streams.${stream}.transform`));
      const next =
        options &&
        createStreamTransform({
          ...options,
          transform: transform!,
          contextOf: (published) => ({ stream, published }),
          counts,
          logger,
        });
      return () => void (current = next);
    },
  };
}

/** The error with the number of the published event. */
function at(index: number, { code, message }: SpillwayError): SpillwayError {
  return new SpillwayError(code, message, { field: `[${index}]` });
}

function tooLarge(): SpillwayError {
  return new SpillwayError("transform-invalid", "the transform returned too much data");
}

/**
 * The results as they are stored. Only the last one has the original's id, by which it is recognized if the source
 * repeats it: then all of them are in the log.
 * @throws {InvalidResult}
 */
function toNewEvents(results: readonly EventFields[], original: NewEvent): NewEvent[] {
  const { published, upstreamId } = original;
  const events = results.map(({ event, data, channel }, i): NewEvent => {
    assertNames(event, channel, original);
    const id = i === results.length - 1 ? upstreamId : undefined;
    return { event, data, channel, upstreamId: id, ...(published && { published }) };
  });
  if (lengthOf(events) > Math.max(maxLength, lengthOf([original])))
    throw new InvalidResult("the results are too large");
  return events;
}

/** Names that the original has are valid. */
function assertNames(event: string, channel: string | undefined, original: NewEvent): void {
  if (event !== original.event && (!isName(event) || event.startsWith(reservedPrefix)))
    throw new InvalidResult("event is not a valid type, or begins with spillway.");
  if (channel !== undefined && channel !== original.channel && !isName(channel))
    throw new InvalidResult("channel is not a valid name");
}

/** Counts 128 for each event, as retention does. */
function lengthOf(events: readonly NewEvent[]): number {
  return events.reduce(
    (sum, { data, event, channel = "" }) => sum + data.length + event.length + channel.length + 128,
    0,
  );
}
