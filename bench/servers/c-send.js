/** The lower bound: a C program that only sends the same bytes to the same sockets. */
import { once } from "node:events";
import { gccVersion, missingGcc, startC } from "./gcc.js";

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
  missing: missingGcc,
  version: gccVersion,
  async start(context) {
    const program = await startC("floor", [], context);
    return { pid: program.pid, url: program.url, path: () => "/", emit: emitterOf(program), stop: program.stop };
  },
};

/** @returns {import("../types.d.ts").Emitter} */
function emitterOf(/** @type {Awaited<ReturnType<typeof startC>>} */ { stdin, lines }) {
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
