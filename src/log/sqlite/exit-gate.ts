/**
 * Prevents the process from exiting during a call of SQLite: Node terminates threads wherever they are, and
 * `@photostructure/sqlite` aborts the whole process if its thread is terminated within a call.
 */

/** Positions of the two flags in the memory that both threads share. */
const working = 0;
const ending = 1;

/** How long the process waits for the thread, in ms; a thread that waits for a lock may take up to 2 s. */
const patience = 5_000;

/** Memory for the flags of one thread. */
export function createExitGate(): SharedArrayBuffer {
  return new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
}

/** Called in the thread: does the work, unless the process is exiting. */
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

/** Called when the process exits: prevents further work, and waits for work in progress. */
export function closeGate(gate: SharedArrayBuffer): void {
  const flags = new Int32Array(gate);
  Atomics.store(flags, ending, 1);
  Atomics.wait(flags, working, 1, patience);
}
