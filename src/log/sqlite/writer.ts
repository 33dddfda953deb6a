/** The writer thread of a SQLite store: everything that is written goes through here, one request at a time. */
import { parentPort, workerData } from "node:worker_threads";
import { createAppender } from "./appender.ts";
import { loadDriver, type SqliteDatabase, type SqliteDriver } from "./driver.ts";
import { passGate } from "./exit-gate.ts";
import { toFailure } from "./failure.ts";
import { createIdempotencyKeys } from "./idempotency-keys.ts";
import type {
  AppendOutcome,
  GroupRequest,
  OpenRequest,
  StreamState,
  TrimRequest,
  WriterMessage,
  WriterRequest,
  WriterResult,
  WriterSettings,
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
function serve(database: SqliteDatabase): void {
  const streams = createStreams(database);
  const keys = createIdempotencyKeys(database);
  const appender = createAppender(database, streams, keys);
  const rounds = createTrimRounds(streams, createTrimmer(database, streams), keys, pass);

  function open({ stream, retention }: OpenRequest): StreamState {
    const opened = transact(database, () => streams.open(stream, retention));
    streams.set(opened);
    return opened;
  }

  function append({ appends }: GroupRequest): readonly AppendOutcome[] {
    rounds.appended(appends.reduce((sum, { events }) => sum + events.length / 4, 0));
    return appender.append(appends);
  }

  function trim(id: number, { stream, now }: TrimRequest): void {
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
    port.close();
  }

  function handle({ id, call }: WriterRequest): void {
    if (call.kind === "open") answer(id, open(call));
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
    serve(openWriterDatabase(driver, settings));
    send({ kind: "started" });
  } catch (error) {
    send({ kind: "refused", failure: toFailure(error) });
  }
}

const driver = await loadDriver();
pass(() => start(driver));
