import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SpillwayError } from "../../../src/errors.ts";
import { createAdmission } from "../../../src/limits/admission.ts";
import { createPressure, underPressure, type Pressure, type PressureGauges } from "../../../src/limits/pressure.ts";
import { eventually } from "../../support/reader.ts";

const lifted = { memory: undefined, lag: undefined };

function codeOf(pressure: Pressure): string | undefined {
  try {
    pressure.check();
    return undefined;
  } catch (error) {
    return (error as SpillwayError).code;
  }
}

describe("with gauges of the test", () => {
  const listeners = new Set<(late: number) => void>();
  let rss = 0;
  const gauges: PressureGauges = {
    watchLateness(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    rss: () => rss,
  };
  const pressures: Pressure[] = [];

  beforeEach(() => {
    rss = 1000;
  });
  afterEach(() => {
    for (const pressure of pressures.splice(0)) pressure.stop();
  });

  function start(bounds: { memory: number | undefined; lag: number | undefined }): {
    pressure: Pressure;
    changes: boolean[];
  } {
    const changes: boolean[] = [];
    const pressure = createPressure(bounds, (overloaded) => changes.push(overloaded), gauges);
    pressures.push(pressure);
    pressure.start();
    return { pressure, changes };
  }

  /** One sample of a loop with this lag, in ms. */
  function sample(late: number): void {
    for (const listener of listeners) listener(late);
  }

  test("one long turn of the event loop does not close it", () => {
    const { pressure, changes } = start({ ...lifted, lag: 200 });
    for (const late of [5000, 0, 0, 0, 5000, 0, 0]) {
      sample(late);
      expect(codeOf(pressure)).toBeUndefined();
    }
    expect(changes).toEqual([]);
  });

  test("a continuous lag of the event loop closes it, and it opens again below half of the limit", () => {
    const { pressure, changes } = start({ ...lifted, lag: 200 });
    for (const late of [300, 300]) sample(late);
    expect(pressure).toMatchObject({ lag: 300, overloaded: true });
    expect(codeOf(pressure)).toBe("overloaded");
    for (const late of [150, 150, 150]) sample(late);
    expect(pressure).toMatchObject({ lag: 150, overloaded: true });
    for (const late of [90, 90]) sample(late);
    expect(codeOf(pressure)).toBeUndefined();
    expect(changes).toEqual([true, false]);
  });

  test("a lag at the limit does not exceed it", () => {
    const { pressure } = start({ ...lifted, lag: 200 });
    for (const late of [200, 200, 200]) sample(late);
    expect(pressure).toMatchObject({ lag: 200, overloaded: false });
  });

  test("memory above its limit closes it at once, and it opens again well below the limit", () => {
    const { pressure, changes } = start({ ...lifted, memory: 2000 });
    const codes = [2000, 2001, 1950, 1901, 1899].map((bytes) => {
      rss = bytes;
      sample(0);
      return codeOf(pressure);
    });
    expect(codes).toEqual([undefined, "overloaded", "overloaded", "overloaded", undefined]);
    expect(changes).toEqual([true, false]);
  });

  test("a process that starts above its memory limit is closed from the start", () => {
    rss = 3000;
    expect(codeOf(start({ ...lifted, memory: 2000 }).pressure)).toBe("overloaded");
  });

  test("without limits it only measures", () => {
    const { pressure } = start(lifted);
    rss = 2 ** 40;
    for (const late of [9000, 9000, 9000]) sample(late);
    expect(pressure).toMatchObject({ lag: 9000, memory: 2 ** 40, overloaded: false });
  });

  test("changed limits apply from the next sample on", () => {
    const { pressure } = start(lifted);
    pressure.change({ ...lifted, memory: 500 });
    sample(0);
    expect(codeOf(pressure)).toBe("overloaded");
    pressure.change(lifted);
    sample(0);
    expect(codeOf(pressure)).toBeUndefined();
  });

  test("starting twice has the effect of starting once, and stopping opens it permanently", () => {
    const { pressure, changes } = start({ ...lifted, memory: 500 });
    pressure.start();
    expect(listeners.size).toBe(1);
    pressure.stop();
    pressure.stop();
    expect(listeners.size).toBe(0);
    expect(codeOf(pressure)).toBeUndefined();
    expect(changes).toEqual([true, false]);
    pressure.start();
    expect(codeOf(pressure)).toBe("overloaded");
  });

  test("an admission under pressure refuses connections, does not count them, and does not delay publishing", async () => {
    const { pressure } = start({ ...lifted, memory: 500 });
    const limits = {
      connections: 1,
      perSubject: undefined,
      perAddress: undefined,
      connectRate: undefined,
      requestRate: undefined,
    };
    const counting = createAdmission({ ...limits, publishRate: undefined });
    const admission = underPressure(counting, pressure);
    const caller = { subject: "anonymous", address: undefined };
    expect(() => admission.connect(caller)).toThrow(expect.objectContaining({ code: "overloaded", retryAfter: 5 }));
    expect(() => admission.publish(caller)).not.toThrow();
    expect(counting.connections).toBe(0);
    pressure.stop();
    (await admission.connect(caller))();
  });
});

test("it closes when the event loop is really blocked, and opens afterwards", async () => {
  const pressure = createPressure({ ...lifted, lag: 50 });
  pressure.start();
  let blocking = true;
  const block = (): void => {
    const until = performance.now() + 150;
    while (performance.now() < until);
    if (blocking) setImmediate(block);
  };
  try {
    block();
    await eventually(() => pressure.overloaded, "the closing");
    expect(pressure.lag).toBeGreaterThan(50);
    expect(pressure.memory).toBeGreaterThan(2 ** 20);
    blocking = false;
    await eventually(() => !pressure.overloaded, "the opening");
  } finally {
    blocking = false;
    pressure.stop();
  }
});
