/** The writer thread of a SQLite store: everything that is written goes through here, one request at a time. */
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
  type OpenStream,
  type StreamState,
  type TrimRequest,
  type WriterMessage,
  type WriterRequest,
  type WriterResult,
  type WriterSettings,
} from "./messages.ts";
import { createStreams } from "./streams.ts";
import { transact } from "./transaction.ts";
import { createTrimRounds } from "./trim-rounds.ts";
import { createTrimmer } from "./trimmer.ts";
import { closeWriterDatabase, openWriterDatabase } from "./writer-database.ts";

const port = parentPort!;
const settings = workerData as WriterSettings;
const pass = (work: () => void): void => passGate(settings.exitGate, work);
const send = (message: WriterMessage): void => port.postMessage(message);
const answer = (id: number, result: WriterResult): void => send({ kind: "answer", id, result });

/** Serves requests until `close`. */
function serve(database: SqliteDatabase, heads: Heads): void {
  const streams = createStreams(database);
  const keys = createIdempotencyKeys(database);
  const appender = createAppender(database, streams, keys);
  const rounds = createTrimRounds(streams, createTrimmer(database, streams), keys, pass);
  let headless = false;

  function openAll(requests: readonly OpenStream[]): readonly StreamState[] {
    const opened = transact(database, () => {
      const rows = requests.map(({ stream, retention }) => streams.open(stream, retention));
      // Before the commit: a stream that is in the database has its place among the heads.
      for (const row of rows) heads.set(row);
      heads.write();
      return rows;
    });
    for (const row of opened) streams.set(row);
    return opened;
  }

  function open(requests: readonly OpenStream[]): readonly OpenOutcome[] {
    try {
      return openAll(requests);
    } catch (error) {
      // It may be the fault of one, which then fails alone.
      return requests.length === 1 ? [toFailure(error)] : requests.flatMap((request) => open([request]));
    }
  }

  function append({ appends }: GroupRequest): readonly AppendOutcome[] {
    rounds.appended(appends.reduce((sum, { events }) => sum + events.length / eventWidth, 0));
    const outcomes = appender.append(appends);
    for (const [index, outcome] of outcomes.entries()) {
      if (!("code" in outcome)) heads.raise(appends[index]!.stream, outcome.last);
    }
    attemptHeads(heads.write);
    return outcomes;
  }

  /** The events are in the database by now: whatever becomes of the heads, they are answered with "appended". */
  function attemptHeads(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!headless) send({ kind: "headless", failure: toFailure(error) });
      headless = true;
    }
  }

  function trim(id: number, { stream, now }: TrimRequest): void {
    // Once a second, since it takes as long as a commit: a power cut that also damages the log may hide the loss of so much.
    attemptHeads(heads.sync);
    rounds.add({
      streams: stream === undefined ? streams.ids() : [stream],
      now,
      onTrimmed: (trimmed) =>
        send({ kind: "trimmed", stream: trimmed.id, earliest: trimmed.earliest, bytes: trimmed.bytes }),
      onDone: (removed) => answer(id, removed),
      onFailed: (failure) => send({ kind: "failed", id, failure }),
    });
  }

  function close(): void {
    rounds.stop();
    closeWriterDatabase(database);
    attemptHeads(heads.sync);
    heads.close();
    port.close();
  }

  function handle({ id, call }: WriterRequest): void {
    if (call.kind === "open") answer(id, open(call.streams));
    else if (call.kind === "append") answer(id, append(call));
    else if (call.kind === "trim") trim(id, call);
    else close();
  }

  function attempt(request: WriterRequest): void {
    try {
      handle(request);
    } catch (error) {
      send({ kind: "failed", id: request.id, failure: toFailure(error) });
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

/** Whoever has streams open knows them under their epochs: what they lost while they were open needs a new start. */
function settle(database: SqliteDatabase, heads: Heads): readonly Loss[] {
  if (!settings.resumed) return renewLost(database, heads);
  const [loss] = findLosses(database, heads);
  if (loss) throw new SpillwayError("store-corrupt", lossText(loss));
  return [];
}

const driver = await loadDriver();
pass(() => start(driver));
