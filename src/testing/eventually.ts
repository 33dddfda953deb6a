import { setTimeout as delay } from "node:timers/promises";

/** How long a fact may take to become true, in ms. */
const deadline = 10_000;

/** Polls `isTrue` until it returns true. Throws an error that names `fact` if it stays false. */
export async function eventually(fact: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + deadline;
  while (!(await isTrue())) {
    if (Date.now() > end) throw new Error(`did not become true: ${fact}`);
    await delay(5);
  }
}
