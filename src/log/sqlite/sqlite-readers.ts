import { SpillwayError } from "../../errors.ts";
import { toLogState } from "../event-bytes.ts";
import type { LogReader, LogReaders } from "../log.ts";
import { loadDriver } from "./driver.ts";
import { storeError } from "./failure.ts";
import { locateLog } from "./location.ts";
import type { StreamState } from "./messages.ts";
import { readPage } from "./page.ts";
import { findPosition } from "./position.ts";
import { selectStream } from "./queries.ts";
import { openSnapshots, type Snapshots } from "./snapshots.ts";
import { toState } from "./streams.ts";
import { encodeText } from "./text.ts";

/**
 * Opens the logs of a SQLite file for reading, beside the process that has it open for writing.
 * @throws {SpillwayError} `driver-missing`, `config-invalid` (`path`), `store-corrupt`, `store-readonly`, `store-unavailable`.
 */
export async function openSqliteReaders(file: string): Promise<LogReaders> {
  const path = await locateLog(file);
  const driver = await loadDriver();
  try {
    const snapshots = openSnapshots(driver, path);
    return { open: (stream) => createReader(stream, snapshots), close: snapshots.close };
  } catch (error) {
    throw storeError(error, path);
  }
}

function createReader(stream: string, snapshots: Snapshots): LogReader {
  const name = encodeText(stream);
  const row = (): StreamState => {
    const found = snapshots.read((statement) => statement(selectStream).get(name));
    if (!found) throw new SpillwayError("store-unavailable", `the log has no stream ${stream}`);
    return toState(found);
  };
  const { id, epoch } = row();
  return {
    stream,
    epoch,
    state: () => toLogState(row()),
    read: (after, options) => readPage(snapshots, id, after, options),
    find: (position, options) => findPosition(snapshots, id, position, options),
  };
}
