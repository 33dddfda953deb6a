import { readFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { fail, ok, readableSize, warn, type Check } from "./check.ts";

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

/** The oldest release that is supported, as `engines` of package.json has it. */
const oldest: readonly [major: number, minor: number] = [20, 19];

/** @param version as `process.versions.node` has it */
export function checkNodeVersion(version: string): Check {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const enough = major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
  if (enough) return ok("node", `Node.js ${version}`);
  return fail("node", `Node.js ${version}`, `install Node.js ${oldest.join(".")} or later`);
}

/** Files that a process needs beside those of its clients: the log, the sources, the loop's own. */
const reserve = 256;

/** How many files a process may have open, from the text of `/proc/self/limits`; `Infinity` without a limit. */
export function parseFileLimit(limits: string): number | undefined {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  if (soft === "unlimited") return Infinity;
  return soft === undefined ? undefined : Number(soft);
}

/**
 * @param limit of this process: Node.js has raised its soft limit to the hard one already; `undefined` where it is not known
 * @param connections that one process has to hold
 */
export function checkFileLimit(limit: number | undefined, connections: number): Check {
  const needed = connections + reserve;
  if (limit === undefined) {
    const found = "skipped: there is no /proc/self/limits to read the limit of open files from";
    return warn("open-files", found, `see that \`ulimit -Hn\` is at least ${needed}`);
  }
  const found = `a process may open ${limit} files, ${connections} connections each need one`;
  if (limit >= needed) return ok("open-files", found);
  const raise = `raise it to ${needed} or more (\`ulimit -Hn\`, systemd: LimitNOFILE, Docker: --ulimit nofile)`;
  const advice = `${raise}, or lower limits.connections`;
  return limit > reserve ? warn("open-files", found, advice) : fail("open-files", found, advice);
}

/** Sizes in bytes. */
export interface MemoryReading {
  /** What the machine or the container has in all. */
  readonly total: number;
  /** `limits.memory`, of one process. */
  readonly limit: number | undefined;
  /** Connections in all. */
  readonly connections: number;
  /** Processes that serve them. */
  readonly workers: number;
  readonly streams: number;
}

/** Of one client: in the process and in the kernel, in bytes, as docs/operations/capacity.md has measured it. */
const [clientBytes, kernelBytes] = [4_200, 4_700];

/** Recent events and pages of one stream, and a process without any, in bytes. */
const [streamBytes, processBytes] = [16 * 2 ** 20, 101 * 2 ** 20];

/** Against what `limits.connections` idle clients take. */
export function checkMemory({ total, limit, connections, workers, streams }: MemoryReading): Check {
  const one = processBytes + streams * streamBytes + Math.ceil(connections / workers) * clientBytes;
  const all = one * workers + connections * kernelBytes;
  const found = `${connections} idle clients take about ${readableSize(all)} of ${readableSize(total)}`;
  const advice = "lower limits.connections, or give it more memory";
  if (all > total) return fail("memory", found, advice);
  if (limit !== undefined && one > limit) {
    const each = `${readableSize(one)} in a process, beyond limits.memory (${readableSize(limit)})`;
    return warn("memory", each, "raise limits.memory: clients are refused from there on");
  }
  return all > total * 0.75 ? warn("memory", found, advice) : ok("memory", found);
}

/** The settings that are looked at, by their names under `/proc/sys` with dots. */
export const kernelSettings = [
  "net.core.somaxconn",
  "net.ipv4.tcp_max_syn_backlog",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.tcp_mem",
] as const;

export type KernelSetting = (typeof kernelSettings)[number];

/** The whole numbers that each setting holds; absent where it cannot be read. */
export type KernelReading = Readonly<Partial<Record<KernelSetting, readonly number[]>>>;

/** The server asks for no longer queue. */
const longestQueue = 65_535;

/** The kernel counts in pages, and a connection with bytes under way has at least one for each direction. */
const [pageSize, pagesPerConnection] = [4_096, 2];

/** @param connections that the whole gateway is to hold */
export function checkKernel(reading: KernelReading, connections: number): readonly Check[] {
  return kernelSettings.map((setting) => {
    const values = reading[setting];
    if (!values) return warn(setting, "skipped: it cannot be read here", "see it on the machine that serves");
    return judges[setting](values, connections);
  });
}

type Judge = (values: readonly number[], connections: number) => Check;

const judges: Readonly<Record<KernelSetting, Judge>> = {
  "net.core.somaxconn": (values, connections) => queue("net.core.somaxconn", values, connections),
  "net.ipv4.tcp_max_syn_backlog": (values, connections) => queue("net.ipv4.tcp_max_syn_backlog", values, connections),

  "net.ipv4.ip_local_port_range"([first = 0, last = 0], connections) {
    const ports = last - first + 1;
    const found = `${ports} ports for connections that this machine opens`;
    if (ports >= connections) return ok("net.ipv4.ip_local_port_range", found);
    const advice = `for a proxy on this machine, which opens one for each of ${connections} clients: set it to "1024 65535"`;
    return warn(
      "net.ipv4.ip_local_port_range",
      found,
      `${advice}, and beyond that let Spillway have several addresses`,
    );
  },

  "net.ipv4.tcp_mem"([, , most = 0], connections) {
    const [has, needs] = [most * pageSize, connections * pagesPerConnection * pageSize];
    const found = `${readableSize(has)} for all socket buffers`;
    if (has >= needs) return ok("net.ipv4.tcp_mem", found);
    const advice = `raise it to ${readableSize(needs)} or more, or lower limits.connections`;
    return warn("net.ipv4.tcp_mem", `${found}, little for ${connections} connections`, advice);
  },
};

/** A queue that holds a quarter of the clients when all come back at once; the others try again a second later. */
function queue(setting: KernelSetting, [length = 0]: readonly number[], connections: number): Check {
  const wanted = Math.min(longestQueue, Math.ceil(connections / 4));
  const found = `${length} connections may wait`;
  if (length >= wanted) return ok(setting, found);
  const advice = `sysctl -w ${setting}=${longestQueue}`;
  return warn(setting, `${found}, few for ${connections} clients that come back at once`, advice);
}
