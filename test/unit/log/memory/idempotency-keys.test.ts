import { expect, test } from "vitest";
import { createIdempotencyKeys } from "../../../../src/log/memory/idempotency-keys.ts";

const day = 24 * 60 * 60 * 1000;

test("keys are forgotten after 24 h, the others stay", () => {
  const keys = createIdempotencyKeys();
  const [early, late] = [
    { fingerprint: "f", first: 1, last: 1, time: 0 },
    { fingerprint: "g", first: 2, last: 2, time: 5 },
  ];
  keys.set("early", early);
  keys.set("late", late);
  expect([keys.get("early", day - 1), keys.get("late", day - 1)]).toEqual([early, late]);
  expect([keys.get("early", day), keys.get("late", day)]).toEqual([undefined, late]);
});

test("beyond 100,000 keys the oldest goes, so that memory is bounded", () => {
  const keys = createIdempotencyKeys();
  for (let key = 0; key <= 100_000; key++) keys.set(String(key), { fingerprint: "f", first: key, last: key, time: 0 });
  expect([keys.get("0", 1), keys.get("1", 1)?.first, keys.get("100000", 1)?.first]).toEqual([undefined, 1, 100_000]);
});
