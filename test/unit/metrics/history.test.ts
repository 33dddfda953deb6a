import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createHistory, type HistoryRecorder, type HistorySample } from "../../../src/metrics/history.ts";

const minute = 60_000;

let streams: Map<string, HistorySample>;
let taken: number;
let recorder: HistoryRecorder;

beforeEach(() => {
  vi.useFakeTimers();
  streams = new Map([["a", { stored: 1, delivered: 2, subscribers: 3, lag: 4 }]]);
  taken = 0;
  recorder = createHistory(() => {
    taken++;
    return streams;
  });
});
afterEach(() => {
  recorder.stop();
  vi.useRealTimers();
});

test("nothing is sampled before somebody asks", () => {
  vi.advanceTimersByTime(minute);
  expect(taken).toBe(0);
  expect(recorder.read(0)).toMatchObject({
    times: [Date.now()],
    streams: { a: { stored: [1], delivered: [2], subscribers: [3], lag: [4] } },
  });
});

test("samples of the last ten minutes are kept, also while the next one is due", () => {
  recorder.read(0);
  for (let i = 0; i < 15; i++) {
    vi.advanceTimersByTime(minute);
    recorder.read(Date.now());
  }
  const { times, interval } = recorder.read(0);
  expect(times).toHaveLength(120);
  expect(times.at(-1)! - times[0]!).toBe(119 * interval);
});

test("only samples after a time are returned", () => {
  recorder.read(0);
  vi.advanceTimersByTime(20_000);
  const { times } = recorder.read(0);
  expect(recorder.read(times[2]!).times).toEqual(times.slice(3));
  expect(recorder.read(times.at(-1)!).streams).toEqual({});
});

test("a stream that was added or removed has no numbers for the other times", () => {
  recorder.read(0);
  streams.set("b", { stored: 7, delivered: 0, subscribers: 0, lag: 0 });
  vi.advanceTimersByTime(5000);
  streams.delete("a");
  vi.advanceTimersByTime(5000);
  const { a, b } = recorder.read(0).streams;
  expect(a!.stored).toEqual([1, 1, null]);
  expect(b!.stored).toEqual([null, 7, 7]);
});

test("sampling stops ten minutes after the last question, and starts anew", () => {
  recorder.read(0);
  vi.advanceTimersByTime(11 * minute);
  const before = taken;
  vi.advanceTimersByTime(60 * minute);
  expect(taken).toBe(before);
  expect(recorder.read(0).times).toHaveLength(1);
});

test("at most a thousand streams are sampled", () => {
  for (let i = 0; i < 1500; i++) streams.set(`s${i}`, { stored: i, delivered: 0, subscribers: 0, lag: 0 });
  expect(Object.keys(recorder.read(0).streams)).toHaveLength(1000);
});
