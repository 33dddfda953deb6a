import { expect, test } from "vitest";
import type { LogHint } from "../../../src/log/log.ts";
import { createWatchers } from "../../../src/log/watchers.ts";
import { silentLogger } from "../../../src/util/logger.ts";

const hint = (head: number): LogHint => ({ head, earliest: 1 });

test("a listener that notifies again does not change the order for the others", () => {
  const watchers = createWatchers("s", silentLogger);
  const heads: number[] = [];
  watchers.add(({ head }) => {
    if (head < 3) watchers.notify(hint(head + 1));
  });
  watchers.add(({ head }) => heads.push(head));
  watchers.notify(hint(1));
  expect(heads).toEqual([1, 2, 3]);
});

test("a listener's error is logged with its stream, and the others are still notified", () => {
  const errors: object[] = [];
  const watchers = createWatchers("prices", { ...silentLogger, error: (fields) => errors.push(fields) });
  const error = new Error("a listener's own");
  let heard = 0;
  watchers.add(() => {
    throw error;
  });
  watchers.add(({ head }) => (heard = head));
  watchers.notify(hint(7));
  expect([errors, heard]).toEqual([[{ stream: "prices", err: error }], 7]);
});

test("cleared watchers are not notified", () => {
  const watchers = createWatchers("s", silentLogger);
  let heard = 0;
  watchers.add(() => heard++);
  watchers.clear();
  watchers.notify(hint(1));
  expect(heard).toBe(0);
});
