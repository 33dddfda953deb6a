/** The writer thread of a SQLite store: executes all writes, one request at a time. */
import { parentPort, workerData } from "node:worker_threads";
import { SpillwayError } from "../../errors.ts";
import { createAppender } from "./appender.ts";
import { loadDriver, type SqliteDatabase, type SqliteDriver } from "./driver.ts";
import { passGate } from "./exit-gate.ts";
import { toFailure } from "./failure.ts";
import { type Heads, openHeads } from "./heads.ts";
import { createIdempotencyKeys } from "./idempotency-keys.ts";
import { findLosses, type Loss, lossText, renewLost } from "./losses.ts";
import {
  eventWidth,
  type AppendOutcome,
  type GroupRequest,
  type OpenOutcome,
  type StreamRow,
  type TrimRequest,
  type TrimResult,
  type WriterCall,
  type WriterMessage,
  type WriterRequest,
  type WriterResult,
  type WriterSettings,
} from "./messages.ts";
import { createStreams } from "./streams.ts";
import { transact } from "./transaction.ts";
import { createTrimmer } from "./trimmer.ts";
import { closeWriterDatabase, openWriterDatabase } from "./writer-database.ts";

const port = parentPort!;
const settings = workerData as WriterSettings;
const pass = (work: () => void): void => passGate(settings.exitGate, work);
const send = (message: WriterMessage): void => port.postMessage(message);

/** Executes a request. */
type Handle = (call: Exclude<WriterCall, { readonly kind: "close" }>) => WriterResult;

/** The heads beside the database. Appends succeed even if these cannot be written. */
interface SafeHeads extends Pick<Heads, "set" | "raise" | "write"> {
  tryWrite(): void;
  trySync(): void;
}

/** Makes the handler of requests. */
function createHandler(database: SqliteDatabase, heads: SafeHeads): Handle {
  const streams = createStreams(database);
  const keys = createIdempotencyKeys(database);
  const appender = createAppender(database, streams, keys);
  const trimStep = createTrimmer(database, streams);
  /** Events appended since the last step of retention. */
  let appended = 0;

  function openAll(names: readonly string[]): readonly StreamRow[] {
    const opened = transact(database, () => {
      const rows = names.map((name) => streams.open(name));
      // Before the commit, because every stream in the database must have a head.
      for (const row of rows) heads.set(row);
      heads.write();
      return rows;
    });
    for (const row of opened) streams.set(row);
    return opened;
  }

  function open(names: readonly string[]): readonly OpenOutcome[] {
    try {
      return openAll(names);
    } catch (error) {
      // One stream may have caused the error; then it fails alone.
      return names.length === 1 ? [toFailure(error)] : names.flatMap((name) => open([name]));
    }
  }

  function append({ appends }: GroupRequest): readonly AppendOutcome[] {
    appended += appends.reduce((sum, { events }) => sum + events.length / eventWidth, 0);
    const outcomes = appender.append(appends);
    for (const [index, outcome] of outcomes.entries()) {
      if (!("code" in outcome)) heads.raise(appends[index]!.stream, outcome.last);
    }
    heads.tryWrite();
    return outcomes;
  }

  /** Raises the limit with the events appended meanwhile, so that trimming always catches up. */
  function trim({ stream, bounds, limit }: TrimRequest): TrimResult {
    const removed = trimStep(streams.get(stream), bounds, Math.max(limit, 2 * appended));
    appended = 0;
    return { removed, row: streams.get(stream) };
  }

  function boundKeys(stream: number, max: number): number {
    keys.bound(stream, max);
    return 0;
  }

  function remove(id: number): number {
    const { epoch } = streams.get(id);
    // Before the commit: a head of events that are no longer in the database would count as a loss.
    heads.set({ id, epoch, head: 0 });
    heads.write();
    transact(database, () => streams.remove(id));
    return 0;
  }

  return (call) => {
    switch (call.kind) {
      case "open":
        return open(call.streams);
      case "append":
        return append(call);
      case "settle":
        return appender.settle(call.appends, call.head);
      case "trim":
        return trim(call);
      case "bound-keys":
        return boundKeys(call.stream, call.max);
      case "remove":
        return remove(call.stream);
      case "prune":
        return keys.prune(call.before, call.limit);
    }
  };
}

/** Reports the first failure to write the heads, but does not throw: the events are already in the database. */
function createSafeHeads(heads: Heads): SafeHeads {
  let headless = false;

  function attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!headless) send({ kind: "headless", failure: toFailure(error) });
      headless = true;
    }
  }

  return { ...heads, tryWrite: () => attempt(heads.write), trySync: () => attempt(heads.sync) };
}

/** Serves requests until `close`. */
function serve(database: SqliteDatabase, heads: Heads): void {
  const safeHeads = createSafeHeads(heads);
  const handle = createHandler(database, safeHeads);

  // Only once per second, because a sync takes as long as a commit. A power cut that also damages the log may hide the
  // loss of the events of one second.
  const syncing = setInterval(() => pass(safeHeads.trySync), 1_000);

  function close(): void {
    clearInterval(syncing);
    closeWriterDatabase(database);
    safeHeads.trySync();
    heads.close();
    port.close();
  }

  function attempt({ id, call }: WriterRequest): void {
    try {
      if (call.kind === "close") close();
      else send({ kind: "answer", id, result: handle(call) });
    } catch (error) {
      send({ kind: "failed", id, failure: toFailure(error) });
    }
  }

  port.on("message", (request: WriterRequest) => pass(() => attempt(request)));
}

function start(driver: SqliteDriver): void {
  try {
    const database = openWriterDatabase(driver, settings);
    const heads = openHeads(`${settings.path}.heads`);
    const losses = settle(database, heads);
    serve(database, heads);
    send({ kind: "started", losses });
  } catch (error) {
    send({ kind: "refused", failure: toFailure(error) });
  }
}

/** Logs that are already open keep their epochs, so a loss in them requires a new start of the store. */
function settle(database: SqliteDatabase, heads: Heads): readonly Loss[] {
  if (!settings.resumed) return renewLost(database, heads);
  const [loss] = findLosses(database, heads);
  if (loss) throw new SpillwayError("store-corrupt", lossText(loss));
  return [];
}

const driver = await loadDriver();
pass(() => start(driver));
