import { deepEqual, equal, rejects } from "node:assert/strict";
import { dataOf, numbered, numbers, readAll } from "./events.ts";
import type { LogStoreFact } from "./log-store-fact.ts";

/** The facts about closing. */
export const closeFacts: readonly LogStoreFact[] = [
  {
    title: "a closed store refuses everything with store-closed",
    async check({ store, open }) {
      const log = await open();
      await store.close();
      await rejects(log.append(numbered(1, 1)), { code: "store-closed" });
      await rejects(log.read(0, { limit: 1 }), { code: "store-closed" });
      await rejects(log.find({ last: 1 }), { code: "store-closed" });
      await rejects(log.trim(), { code: "store-closed" });
      await rejects(open("other"), { code: "store-closed" });
      equal(log.state().head, 0);
    },
  },
  {
    title: "closing waits for pending appends",
    async check({ store, open }) {
      const log = await open();
      const appends = Array.from({ length: 20 }, (_, index) => log.append(numbered(index + 1, index + 1)));
      await store.close();
      const results = await Promise.all(appends);
      deepEqual([results.at(-1)?.last, log.state().head], [20, 20]);
    },
  },
  {
    title: "events that were appended right before closing are kept",
    persistent: true,
    async check({ open, reopen }) {
      void (await open()).append(numbered(1, 500));
      await reopen();
      deepEqual(dataOf(await readAll(await open())), numbers(1, 500));
    },
  },
  {
    title: "closing is idempotent",
    async check({ store }) {
      await Promise.all([store.close(), store.close()]);
      await store.close();
    },
  },
];
