import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventBytes } from "../../src/log/event-bytes.ts";
import { matches } from "../../src/log/filter.ts";
import {
  maxAlike,
  type Log,
  type LogEvent,
  type LogFilter,
  type LogStore,
  type NewEvent,
  type Retention,
} from "../../src/log/log.ts";
import { createMemoryStore } from "../../src/log/memory/index.ts";
import { createMysqlStore } from "../../src/log/mysql/index.ts";
import { createNatsStore } from "../../src/log/nats/index.ts";
import { createPostgresStore } from "../../src/log/postgres/index.ts";
import { createRedisStore } from "../../src/log/redis/index.ts";
import { createSqliteStore } from "../../src/log/sqlite/index.ts";
import { engines } from "../support/shared-engines.ts";

interface Store {
  readonly persistent: boolean;
  readonly runs: number;
  createPlace(): Promise<Place>;
}

/** The location of the logs of all runs, each with a unique name. */
interface Place {
  open(now: () => number): Promise<LogStore>;
  remove(): Promise<void>;
}

const local: Readonly<Record<string, Store>> = {
  memory: {
    persistent: false,
    runs: 150,
    createPlace: async () => ({ open: async (now) => createMemoryStore({ now }), remove: async () => {} }),
  },
  sqlite: {
    persistent: true,
    runs: 20,
    async createPlace() {
      const folder = await mkdtemp(join(tmpdir(), "spillway-model-"));
      const path = join(folder, "spillway.db");
      return {
        open: (now) => createSqliteStore({ path, synchronous: "normal", now }),
        remove: () => rm(folder, { recursive: true }),
      };
    },
  },
};

const factories = {
  postgres: createPostgresStore,
  mysql: createMysqlStore,
  redis: createRedisStore,
  nats: createNatsStore,
} as const;

const shared = engines.map(({ name, openPlace }): [string, Store] => {
  const create = factories[name as keyof typeof factories];
  async function createPlace(): Promise<Place> {
    const { url, remove } = openPlace();
    return { open: (now) => create({ url, node: "a", now }), remove };
  }
  return [name, { persistent: true, runs: 40, createPlace }];
});

/** The model of a log: all events ever appended, and the position of the first retained one. */
interface Model {
  events: LogEvent[];
  earliest: number;
  cursor: string | undefined;
  keys: Map<string, { fingerprint: string; first: number; last: number }>;
  retention: Retention;
  time: number;
}

interface Scene {
  readonly model: Model;
  log: Log;
  reopen(): Promise<void>;
}

type Step = (scene: Scene) => Promise<void>;

const newEvent: fc.Arbitrary<NewEvent> = fc.record({
  event: fc.constantFrom("message", "trade", "quote", "spillway.gap"),
  data: fc.string({ unit: "grapheme", maxLength: 20 }),
  channel: fc.constantFrom(undefined, "a", "b", "c"),
  upstreamId: fc.constantFrom(undefined, "u1", "u2", "u3"),
  published: fc.constantFrom(undefined, true as const),
});
const batch = fc.array(newEvent, { maxLength: 8 });
const filter: fc.Arbitrary<LogFilter | undefined> = fc.option(
  fc.record({
    channels: fc.option(fc.subarray(["a", "b", "c", "d"]), { nil: undefined }),
    events: fc.option(fc.subarray(["message", "trade", "quote", "spillway.gap"]), { nil: undefined }),
  }),
  { nil: undefined },
);
const bound = (max: number): fc.Arbitrary<number | undefined> => fc.option(fc.nat(max), { nil: undefined });
const retention: fc.Arbitrary<Retention> = fc.record({ age: bound(50), events: bound(20), bytes: bound(2_000) });

const ids = fc.constantFrom("u1", "u2", "u9");

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(batch, fc.constantFrom(undefined, "", "c1", "c2")).map(([b, c]) => append(b, c)) },
  { weight: 2, arbitrary: fc.array(batch, { minLength: 2, maxLength: 6 }).map(appendAtOnce) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(batch, fc.constantFrom("k1", "k2"), fc.constantFrom("f", "g"))
      .map(([b, key, fingerprint]) => appendOnce(b, key, fingerprint)),
  },
  { weight: 6, arbitrary: fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 12 }), bound(100), filter).map(read) },
  { weight: 2, arbitrary: fc.tuple(fc.nat(12), filter).map(([last, f]) => findLast(last, f)) },
  { weight: 1, arbitrary: fc.integer({ min: -60, max: 20 }).map(findSince) },
  { weight: 1, arbitrary: fc.tuple(ids, fc.boolean(), filter).map(findId) },
  { weight: 1, arbitrary: ids.map(findSourceId) },
  { weight: 2, arbitrary: fc.constant(trim) },
  { weight: 2, arbitrary: fc.nat(30).map(pass) },
  { weight: 1, arbitrary: retention.map(reopen) },
);

describe.each([...Object.entries(local), ...shared])("%s", (_, { persistent, runs, createPlace }) => {
  test("any sequence of operations gives the same log as the model", async () => {
    const { open, remove } = await createPlace();
    onTestFinished(remove);
    let run = 0;
    const property = fc.asyncProperty(retention, fc.array(step, { maxLength: 40 }), async (kept, steps) => {
      const name = `s${++run}`;
      const model: Model = { ...emptyModel(), retention: kept, time: 1_000 };
      let store = await open(() => model.time);
      const scene: Scene = {
        model,
        log: await store.open(name, { retention: kept }),
        async reopen() {
          await store.close();
          store = await open(() => model.time);
          if (!persistent) Object.assign(model, emptyModel());
          scene.log = await store.open(name, { retention: model.retention });
        },
      };
      try {
        for (const take of steps) {
          await take(scene);
          checkState(scene);
        }
      } finally {
        await store.close();
      }
    });
    await fc.assert(property, { numRuns: runs });
  }, 60_000);
});

function emptyModel(): Pick<Model, "events" | "earliest" | "cursor" | "keys"> {
  return { events: [], earliest: 1, cursor: undefined, keys: new Map() };
}

function append(events: readonly NewEvent[], upstreamCursor: string | undefined): Step {
  return async ({ model, log }) => {
    const added = add(model, events);
    if (upstreamCursor !== undefined) model.cursor = upstreamCursor || undefined;
    expect(await log.append(events, { upstreamCursor })).toEqual({ ...added, replayed: false });
  };
}

function appendAtOnce(batches: readonly (readonly NewEvent[])[]): Step {
  return async ({ model, log }) => {
    const expected = batches.map((events) => ({ ...add(model, events), replayed: false }));
    expect(await Promise.all(batches.map((events) => log.append(events)))).toEqual(expected);
  };
}

function appendOnce(events: readonly NewEvent[], key: string, fingerprint: string): Step {
  return async ({ model, log }) => {
    const known = model.keys.get(key);
    const appended = log.append(events, { idempotency: { key, fingerprint } });
    if (known && known.fingerprint !== fingerprint) {
      await expect(appended).rejects.toMatchObject({ code: "idempotency-conflict" });
      return;
    }
    const numbers = known ?? { fingerprint, ...add(model, events) };
    model.keys.set(key, numbers);
    expect(await appended).toEqual({ first: numbers.first, last: numbers.last, replayed: known !== undefined });
  };
}

function read([after, limit, maxBytes, wanted]: [number, number, number | undefined, LogFilter | undefined]): Step {
  return async ({ model, log }) => {
    const page = await log.read(after, { limit, maxBytes, filter: wanted });
    const matching = model.events.filter(
      (event) => event.seq > after && event.seq >= page.earliest && matches(wanted, event),
    );
    const expected: LogEvent[] = [];
    let bytes = 0;
    const full = (): boolean =>
      expected.length === limit || (maxBytes !== undefined && expected.length > 0 && bytes >= maxBytes);
    for (const event of matching) {
      if (full()) break;
      expected.push(event);
      bytes += eventBytes(event);
    }
    expect(page.events).toEqual(expected);
    expect(page.scanned).toBe(full() ? expected.at(-1)!.seq : Math.max(after, model.events.length));
  };
}

function findLast(last: number, wanted: LogFilter | undefined): Step {
  return ({ model, log }) =>
    expectFound(log, { last, filter: wanted }, (earliest) => {
      const matching = model.events.filter((event) => event.seq >= earliest && matches(wanted, event));
      return last === 0 ? model.events.length : (matching.slice(-last)[0]?.seq ?? model.events.length + 1) - 1;
    });
}

function findSince(offset: number): Step {
  return ({ model, log }) => {
    const since = model.time + offset;
    return expectFound(log, { since }, (earliest) => {
      const first = model.events.find((event) => event.seq >= earliest && event.time >= since);
      return first ? first.seq - 1 : model.events.length;
    });
  };
}

function findId([upstreamId, published, wanted]: [string, boolean, LogFilter | undefined]): Step {
  return ({ model, log }) =>
    expectFound(log, { upstreamId, published, filter: wanted }, (earliest) => {
      const alike = (origin: true | undefined): number | undefined =>
        model.events
          .filter((event) => event.seq >= earliest && event.upstreamId === upstreamId && event.published === origin)
          .slice(0, maxAlike)
          .find((event) => matches(wanted, event))?.seq;
      const found = [alike(undefined), published ? alike(true) : undefined].filter((seq) => seq !== undefined);
      return found.length === 0 ? undefined : Math.min(...found);
    });
}

function findSourceId(sourceId: string): Step {
  return ({ model, log }) =>
    expectFound(log, { sourceId }, (earliest) => {
      const isOfSource = (event: LogEvent): boolean => !event.published && event.upstreamId === sourceId;
      return model.events.findLast((event) => event.seq >= earliest && isOfSource(event))?.seq;
    });
}

async function expectFound(
  log: Log,
  position: Parameters<Log["find"]>[0],
  expected: (earliest: number) => number | undefined,
): Promise<void> {
  for (;;) {
    const { earliest } = log.state();
    const found = await log.find(position);
    // Retention is also applied in the background: a find in the midst of it says nothing.
    if (log.state().earliest !== earliest) continue;
    expect(found).toBe(expected(earliest));
    return;
  }
}

async function trim({ model, log }: Scene): Promise<void> {
  await log.trim();
  expect(log.state().earliest).toBe(trimmed(model));
}

function pass(milliseconds: number): Step {
  return async ({ model }) => {
    model.time += milliseconds;
  };
}

function reopen(kept: Retention): Step {
  return async (scene) => {
    scene.model.retention = kept;
    await scene.reopen();
  };
}

function checkState({ model, log }: Scene): void {
  const state = log.state();
  const held = model.events.slice(state.earliest - 1);
  expect(state.earliest).toBeGreaterThanOrEqual(model.earliest);
  model.earliest = state.earliest;
  expect(state).toEqual({
    head: model.events.length,
    earliest: state.earliest,
    upstreamCursor: model.cursor,
    events: held.length,
    bytes: bytesOf(held),
    lastTime: model.events.at(-1)?.time ?? 0,
  });
}

function add(model: Model, events: readonly NewEvent[]): { first: number; last: number } {
  const first = model.events.length + 1;
  const time = Math.max(model.time, model.events.at(-1)?.time ?? 0);
  model.events.push(...events.map((event, index) => ({ seq: first + index, time, ...event })));
  return { first, last: model.events.length };
}

/** The first event of the log after retention has been applied completely. */
function trimmed({ events, earliest, time, retention: kept }: Model): number {
  const { age = Infinity, events: most = Infinity, bytes = Infinity } = kept;
  let first = earliest;
  for (; first <= events.length; first++) {
    const held = events.slice(first - 1);
    if (held.length <= most && bytesOf(held) <= bytes && held[0]!.time >= time - age) break;
  }
  return first;
}

function bytesOf(events: readonly NewEvent[]): number {
  return events.reduce((sum, event) => sum + eventBytes(event), 0);
}
