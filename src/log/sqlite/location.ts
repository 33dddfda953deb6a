import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { SpillwayError } from "../../errors.ts";

/**
 * Where the log at `path` really is, once the file system would let it be written. Names links only once, so that two
 * ways to one file meet in one lock.
 * @throws {SpillwayError} `config-invalid` if it is no path, `store-unavailable`, `store-readonly`.
 */
export async function locateLog(path: string): Promise<string> {
  if (path === "" || path === ":memory:") {
    throw new SpillwayError("config-invalid", "the SQLite store needs the path of a file", {
      field: "path",
      got: path,
    });
  }
  const wanted = resolve(path);
  const folder = await realFolder(dirname(wanted));
  const location = await realpath(wanted).catch(() => join(folder, basename(wanted)));
  const file = await stat(location).catch(() => undefined);
  if (file && !file.isFile()) throw new SpillwayError("store-unavailable", `${location} is not a file`);
  if (file) await requireAccess(location, constants.R_OK, "store-unavailable", "cannot be read");
  // SQLite writes its journals beside the file, so the folder must be writable too.
  await requireAccess(dirname(location), constants.W_OK, "store-readonly", "is a folder that cannot be written");
  if (file) await requireAccess(location, constants.W_OK, "store-readonly", "cannot be written");
  return location;
}

async function realFolder(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (cause) {
    throw new SpillwayError("store-unavailable", `the folder ${path} does not exist`, { cause });
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
