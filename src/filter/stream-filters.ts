import { SpillwayError } from "../errors.ts";
import { createTally } from "../util/tally.ts";
import { compileFilter, type EventFilter } from "./filter.ts";
import type { FilterEvent } from "./variables.ts";

/** A filter expression as a condition on the events of a stream. An event for which it has no result does not match. */
export interface FilterCondition {
  /** See {@link EventFilter.key}. */
  readonly key: string;
  matches(event: FilterEvent): boolean;
}

/** A filter expression that a client uses. */
export interface HeldFilter {
  readonly condition: FilterCondition;
  /** Stops counting the client. Idempotent. */
  release(): void;
}

/** The filter expressions of a stream's clients. Equal ones share a condition. */
export interface FilterPool {
  /** The number of different expressions in use. */
  readonly size: number;
  /**
   * Compiles an expression for a client.
   * @param owner the client, which may use at most half of the different expressions; absent for one without a limit
   * @throws {SpillwayError} `filter-invalid`, `too-many-filters`.
   */
  hold(text: string, owner?: string): Promise<HeldFilter>;
}

/** The filter expressions of a stream. */
export interface StreamFilters {
  /** Those that clients request. */
  readonly requested: FilterPool;
  /** Those that grants enforce. They count apart, so that no request can use up their places. */
  readonly granted: FilterPool;
  /** The number of different expressions in use. */
  readonly size: number;
  /** How often an expression had no result for an event. */
  readonly errors: number;
  /**
   * Compiles an expression for code in this process, which has no limit.
   * @throws {SpillwayError} `filter-invalid`
   */
  compile(text: string): Promise<FilterCondition>;
}

/** Creates the filters of a stream. `most` is the current number of different expressions that each pool may have. */
export function createStreamFilters(most: () => number): StreamFilters {
  let errors = 0;
  const toCondition = (filter: EventFilter): FilterCondition => createCondition(filter, () => errors++);
  const [requested, granted] = [createPool(most, toCondition), createPool(most, toCondition)];
  return {
    requested,
    granted,
    get size() {
      return requested.size + granted.size;
    },
    get errors() {
      return errors;
    },
    compile: async (text) => toCondition(await compileFilter(text)),
  };
}

/** An event is tested when it arrives and when it is encoded, and for each waiting client: the last result is kept. */
function createCondition({ key, test }: EventFilter, onError: () => void): FilterCondition {
  let last: FilterEvent | undefined;
  let matched = false;
  return {
    key,
    matches(event) {
      if (event === last) return matched;
      const result = test(event);
      if (result === undefined) onError();
      last = event;
      return (matched = result === true);
    },
  };
}

interface PoolEntry {
  readonly condition: FilterCondition;
  /** The client that used the expression first. */
  readonly owner: string | undefined;
  holders: number;
}

function createPool(most: () => number, toCondition: (filter: EventFilter) => FilterCondition): FilterPool {
  const entries = new Map<string, PoolEntry>();
  const owned = createTally();

  function add(filter: EventFilter, owner: string | undefined): PoolEntry {
    const limit = most();
    if (entries.size >= limit) throw tooMany("the stream has", limit);
    const share = Math.ceil(limit / 2);
    if (owner !== undefined && owned.of(owner) >= share) throw tooMany("this client uses", share);
    const entry = { condition: toCondition(filter), owner, holders: 0 };
    entries.set(filter.key, entry);
    if (owner !== undefined) owned.add(owner);
    return entry;
  }

  function remove(key: string, { owner }: PoolEntry): void {
    entries.delete(key);
    if (owner !== undefined) owned.remove(owner);
  }

  return {
    get size() {
      return entries.size;
    },
    async hold(text, owner) {
      const filter = await compileFilter(text);
      const entry = entries.get(filter.key) ?? add(filter, owner);
      entry.holders++;
      let held = true;
      return {
        condition: entry.condition,
        release() {
          if (held && --entry.holders === 0) remove(filter.key, entry);
          held = false;
        },
      };
    },
  };
}

function tooMany(who: string, limit: number): SpillwayError {
  const message = `${who} ${limit} different filter expressions, which is the limit (limits.filters)`;
  return new SpillwayError("too-many-filters", message, { field: "filter" });
}
