import { beforeEach, describe, expect, test } from "vitest";
import { UpstreamFailure } from "../../../src/upstream/failure.ts";
import { createRetry, type Retry } from "../../../src/upstream/retry.ts";
import type { UpstreamOptions } from "../../../src/upstream/upstream.ts";
import { upstreamOptions } from "./support.ts";

const backoff = { min: 100, max: 10_000, healthy: 5000 };
const [a, b] = ["a", "b"].map((name) => ({ name, url: `http://${name}/` })) as [
  { name: string; url: string },
  { name: string; url: string },
];
const refused = new UpstreamFailure("upstream-connect");
let time = 0;

beforeEach(() => {
  time = 0;
});

/** Without randomness: the delay is the ceiling. */
function make(options: Partial<UpstreamOptions> = {}): Retry {
  return createRetry(
    upstreamOptions({ targets: [a], coolDown: 1000, backoff, ...options }),
    () => time,
    () => 1,
  );
}

describe("with one target", () => {
  test("the delay doubles with each failure up to the maximum", () => {
    const retry = make();
    expect(Array.from({ length: 8 }, () => retry.after(refused, undefined))).toEqual([
      200, 400, 800, 1600, 3200, 6400, 10_000, 10_000,
    ]);
  });

  test("only a stream that was open for a healthy time resets the delay", () => {
    const retry = make();
    retry.after(refused, undefined);
    retry.after(refused, 0);
    expect(retry.after(undefined, 4999)).toBe(800);
    expect(retry.after(undefined, 5000)).toBe(200);
    expect(retry.failures).toBe(0);
    expect(retry.after(refused, 5000)).toBe(200);
    expect(retry.after(refused, undefined)).toBe(400);
  });

  test("a stream that ends properly is followed by a delay", () => {
    expect(make().after(undefined, 60_000)).toBeGreaterThanOrEqual(backoff.min);
  });

  test("the delay that the stream or the response requested is the minimum", () => {
    const retry = createRetry(
      upstreamOptions({ backoff }),
      () => time,
      () => 0,
    );
    retry.hint(3000);
    expect(retry.after(refused, undefined)).toBe(3000);
    expect(retry.after(new UpstreamFailure("upstream-status", { retryAfter: 60_000 }), undefined)).toBe(60_000);
    retry.hint(1e15);
    expect(retry.after(refused, undefined)).toBe(300_000);
  });

  test("if only a person can help, the delay is at least half the maximum", () => {
    const retry = createRetry(
      upstreamOptions({ backoff }),
      () => time,
      () => 0,
    );
    expect(retry.after(new UpstreamFailure("upstream-status", { status: 401, slow: true }), undefined)).toBe(5000);
  });
});

describe("with two targets", () => {
  test("the other one is tried after the shortest delay, once", () => {
    const retry = make({ targets: [a, b] });
    const steps = Array.from({ length: 4 }, () => {
      time++;
      return [retry.after(refused, undefined), retry.target.name];
    });
    expect(steps).toEqual([
      [100, "b"],
      [400, "a"],
      [800, "b"],
      [1600, "a"],
    ]);
  });

  test("without a cool-down there are no rapid reconnects either", () => {
    const retry = make({ targets: [a, b], coolDown: 0, balance: "round-robin" });
    expect(Array.from({ length: 4 }, () => retry.after(refused, undefined))).toEqual([100, 400, 800, 1600]);
  });

  test("the first one is used again at the reconnect after its cool-down", () => {
    const retry = make({ targets: [a, b] });
    retry.after(refused, undefined);
    time += 6000;
    expect(retry.after(undefined, 6000)).toBe(100);
    expect(retry.target.name).toBe("a");
    // It is still down, and the other one works.
    expect([retry.after(refused, undefined), retry.target.name]).toEqual([100, "b"]);
  });

  test("a stream that ends as soon as it opens makes its target cool down", () => {
    const retry = make({ targets: [a, b] });
    retry.after(undefined, 10);
    expect(retry.target.name).toBe("b");
  });

  test("a delay requested by one target does not delay the other", () => {
    const retry = make({ targets: [a, b] });
    retry.after(new UpstreamFailure("upstream-status", { retryAfter: 60_000 }), undefined);
    expect(retry.after(refused, undefined)).toBe(400);
    expect(retry.target.name).toBe("b");
  });
});
