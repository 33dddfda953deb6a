/**
 * How long anything that is waited for may take, in ms: a fact, a process, an answer. It says that something hangs, and is no measure of
 * speed: on a machine with ten times as much to do as it can, what takes a second takes ten. The only bound of this kind in the tests.
 */
export const patience = 60_000;

/** How long a whole test or hook may take, in ms: more than one wait, so that what was waited for in vain is named. */
export const testPatience: number = 3 * patience;
