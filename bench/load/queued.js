import { openSync, readSync } from "node:fs";

const file = openFile();
const text = Buffer.alloc(64);

/** Not on Linux. */
function openFile() {
  try {
    return openSync("/proc/self/schedstat", "r");
  } catch {
    return undefined;
  }
}

/** The total time that this process was ready to run but waited for its core, in µs; 0 if the system does not report it. */
export function queuedMicros() {
  if (file === undefined) return 0;
  const length = readSync(file, text, 0, text.length, 0);
  return Number(text.toString("latin1", 0, length).split(" ")[1]) / 1000;
}
