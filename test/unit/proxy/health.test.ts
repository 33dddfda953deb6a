import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startHealthChecks, type HealthChecks } from "../../../src/proxy/health.ts";
import { targetDouble, type TargetDouble } from "./targets.ts";

let checks: HealthChecks | undefined;
beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  checks?.stop();
  vi.useRealTimers();
});

function setUp(random = 0.5) {
  const target = targetDouble("a");
  const lines: string[] = [];
  const line = (level: string) => (fields: object, message: string) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  let answer: (signal: AbortSignal) => Promise<number> = async () => 200;
  const probe = vi.fn<TargetDouble["probe"]>((_path, signal) => answer(signal));
  target.probe = probe;
  const start = (): void => {
    checks = startHealthChecks(
      target,
      { path: "/healthz", every: 1000, timeout: 300, up: 2, down: 3 },
      {
        logger: { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") },
        now: () => Date.now(),
        random: () => random,
      },
    );
  };
  const answers = (next: typeof answer): void => void (answer = next);
  return { target, probe, lines, start, answers };
}

const round = (): Promise<unknown> => vi.advanceTimersByTimeAsync(1000);
const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

test("a target is up until its first check, which alone decides", async () => {
  const { target, start, answers, lines, probe } = setUp();
  answers(async () => 503);
  start();
  expect(target.health.isUp).toBe(true);
  await settle();
  expect(target.health.isUp).toBe(false);
  expect(probe.mock.calls[0]![0]).toBe("/healthz");
  expect(lines).toEqual(['warn target down {"target":"a","reason":"status 503"}']);
});

test("goes down and up after as many results in a row as configured", async () => {
  const { target, start, answers, lines } = setUp();
  start();
  await settle();
  const states: boolean[] = [];
  for (const status of [500, 404, 200, 500, 500, 500, 302, 500, 204, 399]) {
    answers(async () => status);
    await round();
    states.push(target.health.isUp);
  }
  expect(states).toEqual([true, true, true, true, true, false, false, false, false, true]);
  expect(lines).toEqual(['warn target down {"target":"a","reason":"status 500"}', 'info target up {"target":"a"}']);
  expect(target.health.startedAt).toBe(Date.now());
});

test("reports connection errors by their code, and late answers", async () => {
  const { start, answers, lines } = setUp();
  answers(async () => {
    throw Object.assign(new Error("connect ECONNREFUSED 10.0.0.1:80"), { code: "ECONNREFUSED" });
  });
  start();
  await settle();
  expect(lines).toEqual(['warn target down {"target":"a","reason":"ECONNREFUSED"}']);
});

test.each([
  [0, 900],
  [0.5, 1000],
  [1, 1100],
])("with %d as the random number the next check follows after %i ms", async (random, after) => {
  const { start, probe } = setUp(random);
  start();
  await vi.advanceTimersByTimeAsync(after - 1);
  expect(probe).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(probe).toHaveBeenCalledTimes(2);
});

test("runs one check at a time, and none after stop", async () => {
  const { start, answers, probe } = setUp();
  let aborted = false;
  answers(
    (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          aborted = true;
          reject(signal.reason as Error);
        });
      }),
  );
  start();
  await vi.advanceTimersByTimeAsync(250);
  expect(probe).toHaveBeenCalledTimes(1);
  checks!.stop();
  expect(aborted).toBe(true);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(probe).toHaveBeenCalledTimes(1);
});
