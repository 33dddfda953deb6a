import { deepEqual, equal, rejects } from "node:assert/strict";
import type { AppendOptions } from "../log/log.ts";
import { dataOf, numbered, numbers, readAll } from "./events.ts";
import type { LogStoreFact } from "./log-store-fact.ts";

const hour = 60 * 60 * 1000;
const once = { idempotency: { key: "k", fingerprint: "f" } };
const other = { idempotency: { key: "k", fingerprint: "g" } };

/** The facts about idempotency keys. */
export const idempotencyFacts: readonly LogStoreFact[] = [
  {
    title: "the same key with the same fingerprint returns the first numbers and appends nothing",
    async check({ open }) {
      const log = await open();
      await log.append(numbered(1, 2));
      deepEqual(await log.append(numbered(3, 5), once), { first: 3, last: 5, replayed: false });
      await log.append(numbered(6, 6), { upstreamCursor: "u" });
      deepEqual(await log.append(numbered(3, 5), { ...once, upstreamCursor: "v" }), {
        first: 3,
        last: 5,
        replayed: true,
      });
      deepEqual(dataOf(await readAll(log)), numbers(1, 6));
      equal(log.state().upstreamCursor, "u");
    },
  },
  {
    title: "the same key with a different fingerprint is a conflict, and does not affect other appends",
    async check({ open }) {
      const log = await open();
      await log.append(numbered(1, 1), once);
      const [before, conflict, after] = await Promise.allSettled([
        log.append(numbered(2, 2)),
        log.append(numbered(9, 9), other),
        log.append(numbered(3, 3)),
      ]);
      deepEqual([before.status, conflict.status, after.status], ["fulfilled", "rejected", "fulfilled"]);
      equal(conflict.status === "rejected" && (conflict.reason as { code?: unknown }).code, "idempotency-conflict");
      deepEqual(dataOf(await readAll(log)), numbers(1, 3));
    },
  },
  {
    title: "only one of several concurrent appends with the same key appends",
    async check({ open }) {
      const log = await open();
      const results = await Promise.all(Array.from({ length: 5 }, () => log.append(numbered(1, 2), once)));
      for (const { first, last } of results) deepEqual([first, last], [1, 2]);
      deepEqual(
        results.map(({ replayed }) => replayed),
        [false, true, true, true, true],
      );
      equal(log.state().head, 2);
    },
  },
  {
    title: "an empty batch can be replayed",
    async check({ open }) {
      const log = await open();
      await log.append(numbered(1, 4));
      deepEqual(await log.append([], once), { first: 5, last: 4, replayed: false });
      await log.append(numbered(5, 5));
      deepEqual(await log.append([], once), { first: 5, last: 4, replayed: true });
    },
  },
  {
    title: "each stream has its own keys",
    async check({ open }) {
      const [one, two] = [await open("one"), await open("two")];
      await one.append(numbered(1, 3), once);
      deepEqual(await two.append(numbered(1, 1), other), { first: 1, last: 1, replayed: false });
    },
  },
  {
    title: "the same key of two owners counts as two keys",
    async check({ open }) {
      const log = await open();
      const of = (owner: string, fingerprint: string): AppendOptions => ({
        idempotency: { owner, key: "k", fingerprint },
      });
      deepEqual(await log.append(numbered(1, 1), of("a", "f")), { first: 1, last: 1, replayed: false });
      deepEqual(await log.append(numbered(2, 2), of("b", "g")), { first: 2, last: 2, replayed: false });
      deepEqual(await log.append(numbered(3, 3), once), { first: 3, last: 3, replayed: false });
      deepEqual(await log.append(numbered(1, 1), of("a", "f")), { first: 1, last: 1, replayed: true });
      deepEqual(await log.append(numbered(2, 2), of("b", "g")), { first: 2, last: 2, replayed: true });
    },
  },
  {
    title: "beyond retention.keys, the oldest keys of the owner with the most keys are removed, and no others",
    async check({ open, pass }) {
      const log = await open("s", { events: 0, keys: 6 });
      const append = async (owner: string, key: number): Promise<boolean> => {
        pass(1);
        return (await log.append(numbered(1, 1), { idempotency: { owner, key: String(key), fingerprint: "f" } }))
          .replayed;
      };
      for (const key of [1, 2]) equal(await append("few", key), false);
      for (let key = 1; key <= 10; key++) equal(await append("many", key), false);
      await log.trim();
      for (const key of [1, 2]) equal(await append("few", key), true);
      for (const key of [7, 8, 9, 10]) equal(await append("many", key), true);
      equal(await append("many", 6), false);
    },
  },
  {
    title: "a key is kept for 24 h, even if its events are trimmed, and then removed",
    async check({ open, pass }) {
      const log = await open("s", { events: 0 });
      await log.append(numbered(1, 2), once);
      await log.trim();
      pass(24 * hour - 1);
      deepEqual(await log.append(numbered(1, 2), once), { first: 1, last: 2, replayed: true });
      await rejects(log.append(numbered(1, 2), other), { code: "idempotency-conflict" });
      pass(1);
      deepEqual(await log.append(numbered(3, 3), other), { first: 3, last: 3, replayed: false });
      deepEqual(await log.append(numbered(3, 3), other), { first: 3, last: 3, replayed: true });
    },
  },
];
