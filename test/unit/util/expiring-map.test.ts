import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createExpiringMap } from "../../../src/util/expiring-map.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a value exists until it expires", () => {
  const map = createExpiringMap<number>({ ttl: 1000, max: 10 });
  map.set("a", 1);
  vi.advanceTimersByTime(999);
  map.set("b", 2);
  expect([map.get("a")?.value, map.get("b")?.value, map.size]).toEqual([1, 2, 2]);
  vi.advanceTimersByTime(1);
  expect([map.get("a")?.value, map.get("b")?.value, map.size]).toEqual([undefined, 2, 1]);
});

test("setting a value again renews its lifetime", () => {
  const map = createExpiringMap<number>({ ttl: 1000, max: 10 });
  map.set("a", 1);
  map.set("b", 2);
  vi.advanceTimersByTime(600);
  map.set("a", 3);
  vi.advanceTimersByTime(600);
  expect([map.get("a")?.value, map.get("b")?.value]).toEqual([3, undefined]);
});

test("a full map removes the entry that would expire first", () => {
  const removed: number[] = [];
  const map = createExpiringMap<number>({ ttl: 1000, max: 2, onRemove: (value) => removed.push(value) });
  for (const value of [1, 2, 3]) map.set(`key ${value}`, value);
  expect([map.get("key 1")?.value, map.get("key 3")?.value, map.size]).toEqual([undefined, 3, 2]);
  expect(removed).toEqual([1]);
});

test("every entry that is replaced, deleted or expired is reported once", () => {
  const removed: number[] = [];
  const map = createExpiringMap<number>({ ttl: 1000, max: 10, onRemove: (value) => removed.push(value) });
  map.set("a", 1);
  map.set("a", 2);
  map.set("b", 3);
  map.delete("b");
  map.delete("b");
  vi.advanceTimersByTime(1000);
  expect(map.size).toBe(0);
  expect(removed).toEqual([1, 3, 2]);
});
