/** Describes the machine for the tables. */
import { execFileSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";
import { coresFor } from "./cores.js";

/** @returns {Record<string, string>} */
export function describeMachine() {
  const all = cpus();
  const { server, load, contended } = coresFor(1);
  const pinned = contended ? "all share all cores" : `server on core ${server}, load and origin on ${load}`;
  return {
    processor: `${all[0]?.model.trim()}, ${all.length} cores`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${system()}, kernel ${release()}`,
    node: process.version,
    pinning: server === undefined ? "none" : pinned,
  };
}

function system() {
  try {
    return execFileSync("sh", ["-c", '. /etc/os-release && printf %s "$PRETTY_NAME"'], { encoding: "utf8" });
  } catch {
    return process.platform;
  }
}
