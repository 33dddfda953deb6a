import { fail, ok, warn, type Check } from "./check.ts";
import { readableSize } from "./quantity.ts";

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
