import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A folder for a database, with or without a file system of its own. */
export interface Place {
  readonly folder: string;
  /** The database file. */
  readonly path: string;
  remove(): Promise<void>;
}

/** A folder like any other. */
export async function createFolder(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), "spillway-sqlite-"));
  return { folder, path: join(folder, "spillway.db"), remove: () => rm(folder, { recursive: true }) };
}

/** A file system in memory that holds so many KiB. Needs the right to mount: without it the test fails. */
export async function mountSmall(size: number): Promise<Place> {
  const { folder, path } = await createFolder();
  await run("mount", ["-t", "tmpfs", "-o", `size=${size}k`, "tmpfs", folder]);
  return { folder, path, remove: () => unmount(folder) };
}

/** A file system on an image file, which can be made to fail as a broken disk does. Needs the right to mount. */
export async function mountImage(): Promise<Place> {
  const image = await createFolder();
  const { folder, path } = await createFolder();
  const file = join(image.folder, "image");
  await writeFile(file, "");
  await run("truncate", ["--size=16M", file]);
  await run("/usr/sbin/mkfs.ext4", ["-q", file]);
  await run("mount", ["-o", "loop", file, folder]);
  return {
    folder,
    path,
    async remove() {
      await unmount(folder);
      await image.remove();
    },
  };
}

/** `ro`, `rw`, or `abort`: what the kernel does to a file system with a fatal error, which makes it read-only at once. */
export async function remount(folder: string, mode: "ro" | "rw" | "abort"): Promise<void> {
  await run("mount", ["-o", `remount,${mode}`, folder]);
}

async function unmount(folder: string): Promise<void> {
  // Lazily: on Node 20 the driver lets go of its files only when it is collected as garbage.
  await run("umount", ["--lazy", folder]);
  await rm(folder, { recursive: true });
}
