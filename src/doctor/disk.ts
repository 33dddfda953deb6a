import { statfs } from "node:fs/promises";
import { fail, ok, readableSize, warn, type Check } from "./check.ts";

/** The folder of the log: its space and its kind. Sizes in bytes. */
export async function checkFolder(
  folder: string,
  held: number,
  retention: number | undefined,
): Promise<readonly Check[]> {
  const { bavail, bsize, type } = await statfs(folder);
  return [
    checkDisk({ folder, free: bavail * bsize, held, retention }),
    checkFileSystem(folder, process.platform === "linux" ? type : undefined),
  ];
}

/** The place of the log's file. Sizes in bytes. */
export interface DiskReading {
  readonly folder: string;
  /** What this process may still write there. */
  readonly free: number;
  /** The file's size; 0 where there is none yet. */
  readonly held: number;
  /** Sum of `retention.bytes` over the streams; `undefined` where one of them has no bound. */
  readonly retention: number | undefined;
}

/** Below this the next burst may not fit, in bytes. */
const least = 64 * 2 ** 20;

/** The file with its indexes is larger than the bytes that retention counts: by half for events of 200 bytes. */
const overhead = 1.5;

export function checkDisk({ folder, free, held, retention }: DiskReading): Check {
  const found = `${readableSize(free)} free in ${folder}`;
  if (free < least) return fail("disk", found, "free space: appends fail with store-full when none is left");
  if (retention === undefined) {
    return warn("disk", `${found}, and no bound on what is kept`, "set retention.bytes of every stream");
  }
  const growth = Math.max(0, retention * overhead - held);
  if (free >= growth) return ok("disk", `${found}, up to ${readableSize(growth)} more are kept`);
  const advice = "lower retention.bytes or give it a larger disk";
  return warn("disk", `${found}, but retention.bytes lets the log grow by ${readableSize(growth)}`, advice);
}

/** File systems by the number that Linux gives them (statfs(2), `f_type`). */
const networked: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB 2"],
  [0x01021997, "9P"],
  [0x00c36400, "Ceph"],
  [0x0bd00bd0, "Lustre"],
  [0x5346414f, "AFS"],
]);

const passing: ReadonlyMap<number, string> = new Map([
  [0x01021994, "tmpfs, which is memory: the log is lost with the next start of the machine"],
  [0x794c7630, "overlayfs, a container's own layer: the log is lost with the container"],
]);

/** @param type the file system's number; `undefined` where it says nothing, as on other systems than Linux */
export function checkFileSystem(folder: string, type: number | undefined): Check {
  if (type === undefined) {
    return warn("file-system", `skipped: the kind of ${folder} is not known here`, "keep the log on a local disk");
  }
  // The kernel's number has 32 bits, and may come with a sign.
  const number = type >>> 0;
  const network = networked.get(number);
  if (network !== undefined) {
    const advice = "keep the log on a local disk: SQLite's locks and its WAL are not safe over a network";
    return warn("file-system", `${folder} is on ${network}`, advice);
  }
  const lost = passing.get(number);
  if (lost !== undefined) return warn("file-system", `${folder} is on ${lost}`, "mount a volume there");
  return ok("file-system", `${folder} is on a local disk`);
}
