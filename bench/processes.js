/** Starts and ends the processes of a measurement. Processes that still run when the benchmark ends are killed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setPriority } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { processTree } from "./measure.js";
import { createCaller } from "./rpc.js";

/** @typedef {import("node:child_process").ChildProcess} ChildProcess */

/** @type {Set<ChildProcess>} */
const running = new Set();

process.once("exit", () => {
  for (const child of running) killTree(child);
});

/**
 * Starts a program and resolves once it is ready: when a line of its output says so, or when a request to it succeeds.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {object} options
 * @param {string | undefined} options.cpus pins it to these cores
 * @param {(line: string) => string | undefined} [options.ready] its URL, out of a line of its output
 * @param {() => Promise<string>} [options.answers] resolves to its URL
 * @param {string} [options.cwd]
 */
export async function startProgram(command, args, { cpus, ready = () => undefined, answers, cwd }) {
  const [program, ...rest] = pin(cpus, command, args);
  const child = spawn(program, rest, { cwd, stdio: ["pipe", "pipe", "pipe"] });
  track(child);
  let errors = "";
  child.stderr.on("data", (chunk) => (errors = (errors + chunk).slice(-2000)));
  const lines = createInterface({ input: child.stdout });
  /** @type {string} */
  const url = await new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      const found = ready(line);
      if (found !== undefined) resolve(found);
    });
    child.once("error", reject);
    child.once("exit", (code, signal) => reject(new Error(`${command} ended with ${code ?? signal}: ${errors}`)));
    answers?.().then(resolve, reject);
  });
  return { pid: child.pid ?? 0, url, lines, stdin: child.stdin, stop: () => stop(child) };
}

/**
 * Forks a module of this folder that answers calls.
 * @param {string} module
 * @param {object} options
 * @param {string | undefined} options.cpus
 * @param {number} [options.priority] as `nice` counts; below 0 needs the right to do so and is not insisted on
 */
export function startHelper(module, { cpus, priority = 0 }) {
  const [program, ...rest] = pin(cpus, process.execPath, [fileURLToPath(new URL(module, import.meta.url))]);
  const child = spawn(program, rest, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  track(child);
  const pid = child.pid ?? 0;
  try {
    if (priority !== 0) setPriority(pid, priority);
  } catch {
    // Without the permission, the benchmark runs with normal priority.
  }
  return { pid, call: createCaller(child), stop: () => stop(child) };
}

/**
 * @param {string | undefined} cpus
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {[string, ...string[]]}
 */
function pin(cpus, command, args) {
  return cpus === undefined ? [command, ...args] : ["taskset", "-c", cpus, command, ...args];
}

/** @param {ChildProcess} child */
function track(child) {
  running.add(child);
  child.once("exit", () => running.delete(child));
}

/** @param {ChildProcess} child */
async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  const kill = setTimeout(() => killTree(child), 3000);
  if (child.connected) child.disconnect();
  child.kill("SIGTERM");
  await exited;
  clearTimeout(kill);
}

/** @param {ChildProcess} child */
function killTree(child) {
  for (const pid of processTree(child.pid ?? 0)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has already ended.
    }
  }
}
