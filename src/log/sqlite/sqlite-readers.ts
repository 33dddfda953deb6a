import { SpillwayError } from "../../errors.ts";
import { readPage } from "../engine/page.ts";
import { findPosition } from "../engine/position.ts";
import { toLogState } from "../event-bytes.ts";
import { lastPosition } from "../last.ts";
import type { LogReader, LogReaders } from "../log.ts";
import { loadDriver } from "./driver.ts";
import { storeError } from "./failure.ts";
import { locateLog } from "./location.ts";
import { SqliteLogReader } from "./log-driver.ts";
import type { StreamRow } from "./messages.ts";
import { selectStream } from "./queries.ts";
import { openSnapshots, type Snapshots } from "./snapshots.ts";
import { toRow } from "./streams.ts";
import { encodeText } from "./text.ts";

/**
 * Opens the logs of a SQLite file for reading, while another process may have it open for writing.
 * @throws {SpillwayError} `driver-missing`, `config-invalid` (`path`), `store-corrupt`, `store-readonly`,
 * `store-unavailable`.
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
  const row = (): StreamRow => {
    const found = snapshots.read((statement) => statement(selectStream).get(name));
    if (!found) throw new SpillwayError("store-unavailable", `the log has no stream ${stream}`);
    return toRow(found);
  };
  const { id, epoch } = row();
  const reader = new SqliteLogReader(snapshots, id);
  return {
    stream,
    epoch,
    state: () => toLogState(row()),
    read: (after, options) => readPage(reader, after, options),
    find: async (position, options) =>
      "last" in position && position.filter === undefined
        ? lastPosition(row(), position.last)
        : findPosition(reader, position, options),
  };
}
