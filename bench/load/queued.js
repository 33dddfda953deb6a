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

/** How long this process, ready to run, has had to wait for its core so far, in µs; 0 where the system does not tell. */
export function queuedMicros() {
  if (file === undefined) return 0;
  const length = readSync(file, text, 0, text.length, 0);
  return Number(text.toString("latin1", 0, length).split(" ")[1]) / 1000;
}
