/**
 * Keeps the end of the process from cutting into a call of SQLite: a thread is ended wherever it is, and
 * `@photostructure/sqlite` aborts the whole process if that is inside it.
 */

/** The two flags in the memory that both threads share. */
const working = 0;
const ending = 1;

/** How long the process waits for the thread, in ms; a thread that waits for a lock takes up to 2 s. */
const patience = 5_000;

/** Memory for the flags of one thread. */
export function createExitGate(): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
}

/** In the thread: does the work, unless the process is ending. */
export function passGate(gate: SharedArrayBuffer, work: () => void): void {
  const flags = new Int32Array(gate);
  Atomics.store(flags, working, 1);
  try {
    if (Atomics.load(flags, ending) === 0) work();
  } finally {
    Atomics.store(flags, working, 0);
    Atomics.notify(flags, working);
  }
}

/** In the process, when it ends: lets no more work begin, and waits for what is under way. */
export function closeGate(gate: SharedArrayBuffer): void {
  const flags = new Int32Array(gate);
  Atomics.store(flags, ending, 1);
  Atomics.wait(flags, working, 1, patience);
}
