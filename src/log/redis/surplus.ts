import { surplusKeys } from "../idempotency.ts";
import type { Link } from "./link.ts";
import type { Keys } from "./schema.ts";

/** Keys that one command reads or removes: the server is busy with it for less than a millisecond. */
const step = 1_000;

/** Forgets idempotency keys until `max` are left. */
export async function forgetSurplus(link: Pick<Link, "send" | "transact">, keys: Keys, max: number): Promise<void> {
  const surplus = surplusKeys(await readNames(link, keys), max);
  for (let start = 0; start < surplus.length; start += step) {
    const names = surplus.slice(start, start + step);
    await link.transact([
      ["HDEL", keys.keys, ...names],
      ["ZREM", keys.ages, ...names],
    ]);
  }
}

/** The names of all keys, oldest first. One that is added or forgotten meanwhile may be missing, or there twice. */
async function readNames(link: Pick<Link, "send">, { ages }: Keys): Promise<string[]> {
  const names = new Set<string>();
  for (let start = 0; ; start += step) {
    const page = (await link.send(["ZRANGE", ages, String(start), String(start + step - 1)])) as readonly Buffer[];
    for (const name of page) names.add(name.toString());
    if (page.length < step) return [...names];
  }
}
