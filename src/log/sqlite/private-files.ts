import { chmodSync, closeSync, constants, fchmodSync, openSync, statSync } from "node:fs";

/** What a log is made of: the database, its journals, the lock with its journal, and the heads. */
const suffixes = ["", "-wal", "-shm", ".lock", ".lock-journal", ".heads"];

const ownerOnly = 0o600;
const others = 0o007;

/** Opens a file for reading and writing. One that is not there is made for its owner only, whatever the umask is. */
export function openPrivate(path: string): number {
  try {
    const file = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, ownerOnly);
    fchmodSync(file, ownerOnly);
    return file;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return openSync(path, constants.O_RDWR);
  }
}

/** Makes a file, if it is not there, that only its owner may read. SQLite gives its journals the mode of their database. */
export function createPrivate(path: string): void {
  closeSync(openPrivate(path));
}

/**
 * Takes a log's files from everybody but their owner where everybody may read or write one, as with the usual umask. A file that is
 * open to its group alone was made so on purpose, for a backup for example, and stays as it is. Returns the files that were changed.
 */
export function closeToOthers(path: string): string[] {
  if (process.platform === "win32") return [];
  const open = suffixes.map((suffix) => path + suffix).filter(isOpenToOthers);
  for (const file of open) chmodSync(file, ownerOnly);
  return open;
}

function isOpenToOthers(file: string): boolean {
  const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & others) !== 0;
}
