/** The lower bound: a C program that only sends the same bytes to the same sockets. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startProgram } from "../processes.js";

const run = promisify(execFile);
const source = fileURLToPath(new URL("../floor.c", import.meta.url));

/** Bytes of data per event: the default. */
const size = 200;

/** @type {import("../types.d.ts").Server} */
export const cSend = {
  name: "c-send",
  note: "lower bound: a loop over `send` in C, no log, no checks",
  features: [],
  only: ["paced", "burst"],
  filesPerClient: 1,
  source: "itself",
  async missing() {
    if (process.platform !== "linux") return "it needs Linux (epoll)";
    return run("gcc", ["--version"]).then(
      () => undefined,
      () => "gcc is not installed",
    );
  },
  version: async () => (await run("gcc", ["--version"])).stdout.split("\n")[0] ?? "gcc",
  async start({ cpus, directory }) {
    const binary = join(directory, "floor");
    await run("gcc", ["-O2", "-o", binary, source]);
    const program = await startProgram(binary, [], { cpus, ready: (line) => /^http:\S+(?=\/$)/.exec(line)?.[0] });
    return { pid: program.pid, url: program.url, path: () => "/", emit: emitterOf(program), stop: program.stop };
  },
};

/** @returns {import("../types.d.ts").Emitter} */
function emitterOf(/** @type {Awaited<ReturnType<typeof startProgram>>} */ { stdin, lines }) {
  const command = async (/** @type {string} */ text) => {
    stdin.write(`${text}\n`);
    const [line] = await once(lines, "line");
    const [, last, startedAt] = String(line).split(" ").map(Number);
    return { last: last ?? 0, count: last ?? 0, startedAt: startedAt ?? 0 };
  };
  return {
    paced: (rate, count) => command(`paced ${rate} ${count} ${size}`),
    burst: (count) => command(`burst ${count} ${size}`),
    flood: cannot,
    fill: cannot,
    async stop() {
      stdin.write("stop\n");
    },
  };
}

function cannot() {
  return Promise.reject(new Error("it takes no events"));
}
