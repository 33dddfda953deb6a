import { SpillwayError } from "../errors.ts";
import { checkEvent, type EventCheck } from "../events/check.ts";
import type { StreamDefinition } from "../events/definition.ts";
import { isStreamDefinition } from "../events/define-stream.ts";
import type { EventIssue } from "../events/event.ts";
import type { StreamDefinitionStatus } from "../http/gateway-status.ts";
import { reservedPrefix, type NewEvent } from "../log/log.ts";
import { loadModule } from "../transform/load.ts";
import { withPauses, type Logger } from "../util/logger.ts";
import type { Mutable } from "../util/mutable.ts";

/**
 * A definition in the options: the path of a module that exports it, or a function that returns it. It is not the
 * definition itself, because options are frozen.
 */
export type DefinitionOption = string | (() => StreamDefinition);

/** The definition of a stream's options, which a reload may replace. */
export interface ConfiguredDefinition {
  /** What it has found; `undefined` for a stream without a definition. */
  status(): StreamDefinitionStatus | undefined;
  /**
   * Loads the definition of other options; the function that it resolves to applies it.
   * @throws {SpillwayError} `config-invalid`
   */
  prepare(option: DefinitionOption | undefined): Promise<() => void>;
  /**
   * Refuses invalid events. Returns a promise only if a schema is asynchronous.
   * @throws {SpillwayError} `event-invalid`
   */
  assert(events: readonly NewEvent[]): Promise<void> | void;
  /** Counts and logs invalid events, which are stored already. */
  report(events: readonly NewEvent[]): void;
}

/** Creates the definition of a stream; there is none until it is prepared. */
export function createConfiguredDefinition(stream: string, logger: Logger): ConfiguredDefinition {
  const status: Mutable<StreamDefinitionStatus> = { invalid: 0, lastInvalid: null };
  const warn = withPauses(logger.warn.bind(logger));
  let current: StreamDefinition | undefined;

  function note(event: string, { issues }: EventCheck): void {
    const [issue] = issues ?? [];
    if (!issue) return;
    status.invalid++;
    status.lastInvalid = { event, ...issue };
    warn({ event, field: issue.field }, "an event does not match the stream's definition; it is stored");
  }

  return {
    status: () => current && status,
    async prepare(option) {
      const next = option === undefined ? undefined : await loadDefinition(stream, option);
      return () => void (current = next);
    },
    assert(events) {
      if (!current) return undefined;
      const checks = events.map((event) => checkEvent(current!, event));
      if (!checks.some((check) => check instanceof Promise)) return assertAll(checks as EventCheck[]);
      return Promise.all(checks.map(async (check) => check)).then(assertAll);
    },
    report(events) {
      if (!current) return;
      for (const event of events) {
        if (event.event.startsWith(reservedPrefix)) continue;
        const check = checkEvent(current, event);
        if (check instanceof Promise) void check.then((found) => note(event.event, found));
        else note(event.event, check);
      }
    },
  };
}

/**
 * Loads the definition of a stream.
 * @throws {SpillwayError} `config-invalid`
 */
export async function loadDefinition(stream: string, option: DefinitionOption): Promise<StreamDefinition> {
  const field = `streams.${stream}.definition`;
  if (typeof option === "function") return named(stream, option(), field);
  const exported = Object.values(await loadModule(option, field)).filter(isStreamDefinition);
  const found = exported.find(({ name }) => name === stream);
  if (found) return found;
  const got = exported.length === 0 ? "no definition" : exported.map(({ name }) => name).join(", ");
  throw unsuitable(field, `${field}: ${option}`, `an export of defineStream("${stream}", …)`, got);
}

function named(stream: string, definition: StreamDefinition, field: string): StreamDefinition {
  const { name } = definition;
  if (name === stream) return definition;
  throw unsuitable(field, field, `the definition of "${stream}"`, `that of "${name}"`);
}

function unsuitable(field: string, place: string, expected: string, got: string): SpillwayError {
  return new SpillwayError("config-invalid", `${place}: expected ${expected}, got ${got}`, { field, expected, got });
}

/** @throws {SpillwayError} `event-invalid` with the issues of the first invalid event. */
function assertAll(checks: readonly EventCheck[]): void {
  const index = checks.findIndex(({ issues }) => issues);
  if (index === -1) return;
  const issues = checks[index]!.issues!.map((issue) => at(index, issue));
  const [{ field, message }] = issues as [EventIssue];
  throw new SpillwayError("event-invalid", `${field}: ${message}`, { field, issues });
}

function at(index: number, { field, message }: EventIssue): EventIssue {
  return { field: `[${index}].${field}`, message };
}
