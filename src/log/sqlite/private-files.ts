import { chmodSync, closeSync, constants, fchmodSync, openSync, statSync } from "node:fs";

/** Suffixes of the files of a log: the database, its journals, the lock with its journal, and the heads. */
const suffixes = ["", "-wal", "-shm", ".lock", ".lock-journal", ".heads"];

const ownerOnly = 0o600;
const others = 0o007;

/** Opens a file for reading and writing. A new file is accessible to its owner only, whatever the umask is. */
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

/** Creates a missing file, accessible to its owner only. SQLite gives its journals the mode of the database. */
export function createPrivate(path: string): void {
  closeSync(openPrivate(path));
}

/**
 * Restricts the files of a log that all users may access, as with the usual umask, to their owner. A file that is only
 * open to its group was made so on purpose, for example for backups, and is left unchanged. Returns the changed files.
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
