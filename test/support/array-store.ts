import { SpillwayError } from "../../src/errors.ts";
import { newEpoch } from "../../src/log/cursor.ts";
import {
  type AlikeEvent,
  type Batch,
  type BatchOutcome,
  type DriverFailure,
  type GroupResult,
  type LogDriver,
  LogReplacedError,
  type OpenLog,
  type ScanRange,
  type ScanStep,
  type StoreDriver,
  type StoredState,
  type TrimBounds,
  type TrimStep,
} from "../../src/log/engine/driver.ts";
import { createEngineStore, type EngineStoreOptions } from "../../src/log/engine/store.ts";
import { heldBytes, textBytes } from "../../src/log/event-bytes.ts";
import {
  idempotencyAge,
  keyName,
  type RememberedAppend,
  replayAppend,
  surplusKeys,
} from "../../src/log/idempotency.ts";
import { type Appended, type LogEvent, type LogStore, maxAlike } from "../../src/log/log.ts";

/** The data of one stream on the server. */
interface Table {
  state: StoredState;
  events: LogEvent[];
  readonly keys: Map<string, RememberedAppend>;
  /** The number of the last group, and its result. */
  last?: { readonly number: number; readonly result: GroupResult };
}

/** Stands in for the server of a real engine: it outlives the stores. */
export type ArrayServer = Map<string, Table>;

/** Opens a store of logs on a server. One process at a time may open it. */
export function createArrayStore(server: ArrayServer, options: EngineStoreOptions): LogStore {
  return createEngineStore(createStoreDriver(server), options);
}

function createStoreDriver(server: ArrayServer): StoreDriver {
  return {
    kind: "array",
    async open(stream) {
      const state = { epoch: newEpoch(), head: 0, earliest: 1, bytes: 0, lastTime: 0, revision: 0 };
      const table: Table = server.get(stream) ?? {
        state: { ...state, upstreamCursor: undefined },
        events: [],
        keys: new Map(),
      };
      // A group number of an earlier store says nothing about the groups of this one.
      delete table.last;
      server.set(stream, table);
      return { state: table.state, createDriver: (log) => new ArrayLogDriver(server, log) };
    },
    async prune(keysBefore) {
      for (const { keys } of server.values())
        for (const [name, { time }] of keys) if (time <= keysBefore) keys.delete(name);
    },
    storeError,
    async close() {},
  };
}

/** Most events that one scan looks at. */
const scanEvents = 1_000;

class ArrayLogDriver implements LogDriver {
  readonly #server: ArrayServer;
  readonly #log: OpenLog;

  constructor(server: ArrayServer, log: OpenLog) {
    this.#server = server;
    this.#log = log;
  }

  async append(number: number, group: readonly Batch[]): Promise<GroupResult> {
    const table = this.#table();
    const events: LogEvent[] = [];
    const outcomes = group.map((batch) => outcomeOf(() => appendBatch(table, batch, events)));
    const result = { outcomes, state: table.state, events };
    table.last = { number, result };
    return result;
  }

  async settle(number: number): Promise<GroupResult | undefined> {
    const { last } = this.#table();
    return last?.number === number ? last.result : undefined;
  }

  async scan({ direction, from }: ScanRange): Promise<ScanStep> {
    const { state, events } = this.#table();
    const rest =
      direction === "forward" ? events.filter(({ seq }) => seq > from) : events.filter(({ seq }) => seq < from);
    const found = direction === "forward" ? rest.slice(0, scanEvents) : rest.toReversed().slice(0, scanEvents);
    // A server answers later; here nothing else would have its turn during a long search.
    await new Promise(setImmediate);
    return { state, events: found, seq: found.at(-1)?.seq ?? from, end: found.length === rest.length };
  }

  async latestOfSource(id: string): Promise<number | undefined> {
    return this.#table().events.findLast(({ upstreamId, published }) => upstreamId === id && !published)?.seq;
  }

  async alike(origin: "source" | "publisher", id: string): Promise<readonly AlikeEvent[]> {
    const published = origin === "publisher";
    const found = this.#table().events.filter(
      (event) => event.upstreamId === id && Boolean(event.published) === published,
    );
    return found.slice(0, maxAlike);
  }

  async beforeTime(since: number): Promise<number> {
    const { state, events } = this.#table();
    return (events.find(({ time }) => time >= since)?.seq ?? state.head + 1) - 1;
  }

  async trim(
    { before = -Infinity, events: most = Infinity, bytes: size = Infinity }: TrimBounds,
    limit: number,
  ): Promise<TrimStep> {
    const table = this.#table();
    let { earliest, bytes, revision } = table.state;
    const { head } = table.state;
    let removed = 0;
    for (const event of table.events.slice(0, limit)) {
      const fits = head - earliest + 1 <= most && heldBytes({ head, earliest, bytes }) <= size;
      if (fits && event.time >= before) break;
      earliest++;
      removed++;
      bytes -= textBytes(event);
    }
    if (removed > 0) revision++;
    table.events = table.events.slice(removed);
    table.state = { ...table.state, earliest, bytes, revision };
    return { removed, state: table.state };
  }

  async boundKeys(max: number): Promise<void> {
    const { keys } = this.#table();
    for (const name of surplusKeys([...keys.keys()], max)) keys.delete(name);
  }

  failure(error: unknown): DriverFailure {
    // An array answers at once. A driver that has a connection says here whether the group may have been appended.
    return { error: storeError(error), divisible: true };
  }

  /** The stream, if it is the one that was opened and has all that this process knows. */
  #table(): Table {
    const table = this.#server.get(this.#log.stream);
    const { epoch, known } = this.#log;
    if (table?.state.epoch !== epoch || table.state.head < known.head) throw new LogReplacedError();
    return table;
  }
}

/** Appends one batch. What it throws is thrown before anything is changed. */
function appendBatch(table: Table, { events, options, clock }: Batch, appended: LogEvent[]): Appended {
  const { idempotency, fence, upstreamCursor } = options;
  // Without leases no fence is valid.
  if (fence !== undefined) throw new SpillwayError("lease-lost");
  const remembered = idempotency && table.keys.get(keyName(idempotency));
  if (remembered && remembered.time > clock - idempotencyAge) return replayAppend(remembered, idempotency.fingerprint);
  const { head, lastTime, bytes, revision } = table.state;
  const time = Math.max(clock, lastTime);
  const added = events.map((event, index) => ({ ...event, seq: head + 1 + index, time }));
  const last = head + added.length;
  table.events = table.events.concat(added);
  for (const event of added) appended.push(event);
  table.state = {
    ...table.state,
    head: last,
    lastTime: added.length > 0 ? time : lastTime,
    bytes: added.reduce((sum, event) => sum + textBytes(event), bytes),
    upstreamCursor: upstreamCursor === undefined ? table.state.upstreamCursor : upstreamCursor || undefined,
    revision: revision + 1,
  };
  if (idempotency) {
    const { fingerprint } = idempotency;
    table.keys.delete(keyName(idempotency));
    table.keys.set(keyName(idempotency), { fingerprint, first: head + 1, last, time: clock });
  }
  return { first: head + 1, last, replayed: false };
}

function outcomeOf(append: () => Appended): BatchOutcome {
  try {
    return append();
  } catch (error) {
    return storeError(error);
  }
}

function storeError(error: unknown): SpillwayError {
  return error instanceof SpillwayError ? error : new SpillwayError("store-unavailable", String(error));
}
