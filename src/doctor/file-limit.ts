import { fail, ok, warn, type Check } from "./check.ts";

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
