import { setTimeout as delay } from "node:timers/promises";

/** How long a fact may take to come true, in ms. */
const deadline = 10_000;

/** Waits until `isTrue`, which is asked again and again. Throws an error that names `fact` if it stays false. */
export async function eventually(fact: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + deadline;
  while (!(await isTrue())) {
    if (Date.now() > end) throw new Error(`did not come true: ${fact}`);
    await delay(5);
  }
}
