import { idempotencyAge, isOverfull, surplusKeys } from "../idempotency.ts";
import type { Reply } from "./driver.ts";
import type { Link } from "./link.ts";
import type { FollowedLog } from "./log-scripts.ts";
import type { Keys } from "./schema.ts";
import { trimScript } from "./scripts.ts";

/** Keys that one command reads or removes: the server is busy with it for about a millisecond. */
const step = 1_000;

/** Forgets a log's keys from before a time, in ms since 1970, step by step. */
export async function forgetOldKeys(link: Link, { log, scripts }: FollowedLog, before: number): Promise<void> {
  // The script also trims, but not without bounds.
  const args = [String(before + idempotencyAge), "", "", "", String(step)];
  for (let left = Infinity; ;) {
    const [, , count] = (await scripts.run(link, log, trimScript, args)) as readonly Reply[];
    if (Number(count) >= left) return;
    left = Number(count);
  }
}

/** Forgets keys until `max` are left. */
export async function boundKeys(link: Link, keys: Keys, max: number): Promise<void> {
  if (!isOverfull(Number(await link.send(["ZCARD", keys.ages])), max)) return;
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
async function readNames(link: Link, { ages }: Keys): Promise<string[]> {
  const names = new Set<string>();
  for (let start = 0; ; start += step) {
    const page = (await link.send(["ZRANGE", ages, String(start), String(start + step - 1)])) as readonly Buffer[];
    for (const name of page) names.add(name.toString());
    if (page.length < step) return [...names];
  }
}
