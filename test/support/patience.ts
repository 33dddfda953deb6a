/**
 * How long any wait may take, in ms: for a condition, a process or a response. It detects that something hangs, and does not measure
 * speed: on a machine with ten times its load, a second becomes ten. It is the only timeout of this kind in the tests.
 */
export const patience = 60_000;

/** How long a whole test or hook may take, in ms: longer than one wait, so that the error names the condition that failed. */
export const testPatience: number = 3 * patience;
