import { constants } from "node:fs";
import { access, open, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { SpillwayError } from "../../errors.ts";

/**
 * The real path of the log at `path`, after checking that it can be written. Links are resolved, so that different
 * paths to one file use the same lock.
 * @throws {SpillwayError} `config-invalid` if it is not a path, `store-unavailable`, `store-readonly`.
 */
export async function locateLog(path: string): Promise<string> {
  if (path === "" || path === ":memory:") {
    throw new SpillwayError("config-invalid", "the SQLite store requires the path of a file", {
      field: "path",
      got: path,
    });
  }
  const wanted = resolve(path);
  const folder = await realFolder(dirname(wanted));
  const location = await realpath(wanted).catch(() => join(folder, basename(wanted)));
  const file = await stat(location).catch(() => undefined);
  if (file && !file.isFile()) throw new SpillwayError("store-unavailable", `${location} is not a file`);
  if (file) await requireAccess(location, constants.R_OK, "store-unavailable", "is not readable");
  // SQLite writes its journals beside the file, so the folder must be writable too.
  await requireAccess(dirname(location), constants.W_OK, "store-readonly", "is a folder that is not writable");
  if (file) await requireAccess(location, constants.W_OK, "store-readonly", "is not writable");
  // Checked first, so that no lock file is left beside a file that is not a log.
  if (file && file.size > 0) await requireDatabase(location);
  return location;
}

async function realFolder(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (cause) {
    throw new SpillwayError("store-unavailable", `the folder ${path} does not exist`, { cause });
  }
}

/** The first bytes of every SQLite file (sqlite.org/fileformat.html §1.3). */
const magic = "SQLite format 3\0";

async function requireDatabase(path: string): Promise<void> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(magic.length), 0, magic.length, 0);
    if (buffer.toString("latin1") !== magic)
      throw new SpillwayError("store-corrupt", `${path}: file is not a database`);
  } finally {
    await file.close();
  }
}

async function requireAccess(
  path: string,
  mode: number,
  code: "store-unavailable" | "store-readonly",
  problem: string,
): Promise<void> {
  try {
    await access(path, mode);
  } catch (cause) {
    throw new SpillwayError(code, `${path} ${problem}`, { cause });
  }
}
