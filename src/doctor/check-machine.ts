import { readFile, statfs } from "node:fs/promises";
import { totalmem } from "node:os";
import type { Check } from "./check.ts";
import { checkDisk, checkFileSystem } from "./disk.ts";
import { checkFileLimit, parseFileLimit } from "./file-limit.ts";
import { checkKernel, kernelSettings, type KernelReading } from "./kernel.ts";
import { checkMemory } from "./memory.ts";
import { checkNodeVersion } from "./node-version.ts";

/** What the gateway is to carry on this machine. */
export interface MachineNeeds {
  /** `limits.connections`. */
  readonly connections: number;
  readonly workers: number;
  readonly streams: number;
  /** `limits.memory` in bytes. */
  readonly memory: number | undefined;
}

/** The runtime, the kernel and the memory. */
export async function checkMachine(needs: MachineNeeds): Promise<readonly Check[]> {
  const { connections, workers, streams, memory: limit } = needs;
  return [
    checkNodeVersion(process.versions.node),
    checkFileLimit(await readFileLimit(), Math.ceil(connections / workers)),
    checkMemory({ total: memoryHere(), limit, connections, workers, streams }),
    ...checkKernel(await readKernel(), connections),
  ];
}

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

/** A container has less than its machine. */
function memoryHere(): number {
  const total = totalmem();
  const limit = process.constrainedMemory();
  // Without a limit it is 0, or a number beyond what there is.
  return limit > 0 ? Math.min(limit, total) : total;
}

async function readFileLimit(): Promise<number | undefined> {
  const text = await readFile("/proc/self/limits", "utf8").catch(() => undefined);
  return text === undefined ? undefined : parseFileLimit(text);
}

async function readKernel(): Promise<KernelReading> {
  const read = async (setting: string): Promise<readonly [string, readonly number[]] | undefined> => {
    const path = `/proc/sys/${setting.replaceAll(".", "/")}`;
    const text = await readFile(path, "utf8").catch(() => undefined);
    return text === undefined ? undefined : [setting, text.trim().split(/\s+/).map(Number)];
  };
  const entries = await Promise.all(kernelSettings.map(read));
  return Object.fromEntries(entries.filter((entry) => entry !== undefined));
}
