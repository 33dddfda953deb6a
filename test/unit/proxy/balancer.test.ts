import { describe, expect, test } from "vitest";
import { createBalancer, type Balancer } from "../../../src/proxy/balancer.ts";
import type { Balance, EjectOptions } from "../../../src/proxy/options.ts";
import type { Target } from "../../../src/proxy/target.ts";
import { manualClock, seededRandom, targetDouble, type TargetDouble } from "./targets.ts";

const none: ReadonlySet<Target> = new Set();
const noKey = (): string => "";

function setUp(
  targets: readonly TargetDouble[],
  balance: Balance = "round-robin",
  { eject, slowStart = 0 }: { eject?: EjectOptions; slowStart?: number } = {},
) {
  const clock = manualClock();
  const ejected: [name: string, duration: number][] = [];
  const balancer = createBalancer(
    targets,
    { balance, eject, slowStart },
    { now: clock.now, random: seededRandom(), onEject: ({ name }, duration) => ejected.push([name, duration]) },
  );
  return { balancer, clock, ejected };
}

function names(balancer: Balancer, count: number): string {
  return Array.from({ length: count }, () => balancer.choose(none, noKey)?.name ?? "-").join("");
}

function countsOf(chosen: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of chosen) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function fail(balancer: Balancer, target: Target, times: number): void {
  for (let i = 0; i < times; i++) balancer.report(target, true);
}

describe("every balance", () => {
  const balances: readonly Balance[] = ["failover", "round-robin", "least-requests", { hash: "address" }];

  test.each(balances)("%j passes over targets that are down, ejected, full or tried", (balance) => {
    const [down, ejected, full, tried, good] = ["a", "b", "c", "d", "e"].map((name) => targetDouble(name));
    down!.health.isUp = false;
    full!.isFull = true;
    const { balancer, clock } = setUp([down!, ejected!, full!, tried!, good!], balance);
    ejected!.health.ejectedUntil = clock.now() + 1;
    for (let i = 0; i < 20; i++) expect(balancer.choose(new Set([tried!]), () => String(i))).toBe(good);
    expect(balancer.choose(new Set([tried!, good!]), noKey)).toBeUndefined();
  });

  test.each(balances)("%j uses a target of weight 0 only when no other can be used", (balance) => {
    const [spare, main] = [targetDouble("a", 0), targetDouble("b")];
    const { balancer } = setUp([spare, main], balance);
    expect(names(balancer, 10)).toBe("b".repeat(10));
    main.health.isUp = false;
    expect(names(balancer, 2)).toBe("aa");
  });
});

test("failover uses the first usable target", () => {
  const [first, second] = [targetDouble("a"), targetDouble("b", 9)];
  const { balancer } = setUp([first, second], "failover");
  expect(names(balancer, 3)).toBe("aaa");
  first.health.isUp = false;
  expect(names(balancer, 3)).toBe("bbb");
  first.health.isUp = true;
  expect(names(balancer, 3)).toBe("aaa");
});

describe("round-robin", () => {
  test("takes targets of equal weight in turn", () => {
    const { balancer } = setUp([targetDouble("a"), targetDouble("b"), targetDouble("c")]);
    expect(names(balancer, 7)).toBe("abcabca");
  });

  test("spreads the turns of a heavy target between those of the others", () => {
    const { balancer } = setUp([targetDouble("a", 5), targetDouble("b"), targetDouble("c")]);
    expect(names(balancer, 7)).toBe("aabacaa");
  });
});

describe("least-requests", () => {
  test("shares requests by weight while no target has any", () => {
    const { balancer } = setUp([targetDouble("a", 1), targetDouble("b", 3)], "least-requests");
    const { a, b } = countsOf(names(balancer, 4000));
    expect(b! / a!).toBeGreaterThan(2.6);
    expect(b! / a!).toBeLessThan(3.4);
  });

  test("takes the one of two targets that has fewer requests for its weight", () => {
    const [light, heavy] = [targetDouble("a", 1), targetDouble("b", 4)];
    const { balancer } = setUp([light, heavy], "least-requests");
    light.active = 3;
    heavy.active = 11;
    expect(names(balancer, 20)).toBe("b".repeat(20));
    heavy.waiting = 2;
    expect(names(balancer, 20)).toBe("a".repeat(20));
  });

  test("never takes the most loaded of several targets", () => {
    const targets = ["a", "b", "c", "d"].map((name) => targetDouble(name));
    targets[2]!.active = 10;
    const { balancer } = setUp(targets, "least-requests");
    expect(Object.keys(countsOf(names(balancer, 500))).toSorted()).toEqual(["a", "b", "d"]);
  });
});

describe("a hash", () => {
  const keys = Array.from({ length: 4000 }, (_, i) => `user-${i}`);
  const placed = (balancer: Balancer): (string | undefined)[] =>
    keys.map((key) => balancer.choose(none, () => key)?.name);

  test("is the same in every process, and in any order of the targets", () => {
    const { balancer } = setUp([targetDouble("a"), targetDouble("b"), targetDouble("c")], { hash: "subject" });
    const { balancer: other } = setUp([targetDouble("c"), targetDouble("a"), targetDouble("b")], { hash: "subject" });
    expect(placed(balancer)).toEqual(placed(other));
  });

  test("moves only the keys of a target that goes down, and moves them back", () => {
    const targets = ["a", "b", "c", "d"].map((name) => targetDouble(name));
    const { balancer } = setUp(targets, { hash: "subject" });
    const before = placed(balancer);
    targets[1]!.health.isUp = false;
    const during = placed(balancer);
    for (const [i, name] of before.entries()) if (name !== "b") expect(during[i]).toBe(name);
    expect(during).not.toContain("b");
    expect(countsOf(before.flatMap((name, i) => (name === "b" ? during[i]! : [])).join(""))).toEqual({
      a: expect.any(Number),
      c: expect.any(Number),
      d: expect.any(Number),
    });
    targets[1]!.health.isUp = true;
    expect(placed(balancer)).toEqual(before);
  });

  test("gives each target keys by its weight", () => {
    const { balancer } = setUp([targetDouble("a", 1), targetDouble("b", 1), targetDouble("c", 2)], { hash: "address" });
    const { a, b, c } = countsOf(placed(balancer).join(""));
    expect(a! / keys.length).toBeCloseTo(0.25, 1);
    expect(b! / keys.length).toBeCloseTo(0.25, 1);
    expect(c! / keys.length).toBeCloseTo(0.5, 1);
  });
});

describe("ejection", () => {
  const eject: EjectOptions = { errors: 3, for: 1000, most: 0.5 };

  test("follows failures in a row, and ends after its time", () => {
    const [bad, good] = [targetDouble("a"), targetDouble("b")];
    const { balancer, clock, ejected } = setUp([bad, good], "failover", { eject });
    fail(balancer, bad, 2);
    balancer.report(bad, false);
    fail(balancer, bad, 2);
    expect(balancer.state(bad)).toBe("up");
    balancer.report(bad, true);
    expect(balancer.state(bad)).toBe("ejected");
    expect(names(balancer, 2)).toBe("bb");
    clock.advance(999);
    expect(balancer.state(bad)).toBe("ejected");
    clock.advance(1);
    expect(names(balancer, 2)).toBe("aa");
    expect(ejected).toEqual([["a", 1000]]);
  });

  test("takes longer each time, up to ten times, and forgives with time", () => {
    const [bad, good] = [targetDouble("a"), targetDouble("b")];
    const { balancer, clock, ejected } = setUp([bad, good], "failover", { eject });
    for (let i = 0; i < 12; i++) {
      fail(balancer, bad, 3);
      clock.advance(ejected.at(-1)![1]);
    }
    expect(ejected.map(([, duration]) => duration / 1000)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10]);
    clock.advance(4000);
    fail(balancer, bad, 3);
    expect(ejected.at(-1)).toEqual(["a", 7000]);
    clock.advance(7000 + 60_000);
    fail(balancer, bad, 3);
    expect(ejected.at(-1)).toEqual(["a", 1000]);
  });

  test("ignores requests that end while the target is ejected", () => {
    const [bad, good] = [targetDouble("a"), targetDouble("b")];
    const { balancer, clock, ejected } = setUp([bad, good], "failover", { eject });
    fail(balancer, bad, 10);
    clock.advance(1000);
    expect(balancer.state(bad)).toBe("up");
    expect(ejected).toHaveLength(1);
    fail(balancer, bad, 2);
    expect(balancer.state(bad)).toBe("up");
  });

  test.each([
    [1, 1, 0],
    [2, 0.5, 1],
    [3, 0.5, 1],
    [4, 0.5, 2],
    [10, 0.3, 3],
    [3, 1, 2],
    [3, 0.1, 0],
  ])("of %i targets with most: %d ejects at most %i", (count, most, expected) => {
    const targets = Array.from({ length: count }, (_, i) => targetDouble(String(i)));
    const { balancer } = setUp(targets, "round-robin", { eject: { ...eject, most } });
    for (const target of targets) fail(balancer, target, 5);
    expect(targets.filter((target) => balancer.state(target) === "ejected")).toHaveLength(expected);
  });

  test("never takes out the last target that health checks find usable", () => {
    const [down, last] = [targetDouble("a"), targetDouble("b")];
    down.health.isUp = false;
    const { balancer } = setUp([down, last], "round-robin", { eject });
    fail(balancer, last, 10);
    expect(names(balancer, 1)).toBe("b");
  });

  test("does not happen without the option", () => {
    const [bad, good] = [targetDouble("a"), targetDouble("b")];
    const { balancer } = setUp([bad, good], "failover");
    fail(balancer, bad, 100);
    expect(names(balancer, 1)).toBe("a");
  });
});

test("slow start raises a target's share from a tenth to the whole", () => {
  const [back, other] = [targetDouble("a"), targetDouble("b")];
  const { balancer, clock } = setUp([back, other], "round-robin", { slowStart: 10_000 });
  back.health.startedAt = clock.now();
  const share = (): number => countsOf(names(balancer, 1100))["a"]! / 1100;
  expect(share()).toBeCloseTo(0.1 / 1.1, 2);
  clock.advance(5000);
  expect(share()).toBeCloseTo(0.55 / 1.55, 2);
  clock.advance(5000);
  expect(share()).toBeCloseTo(0.5, 2);
});

test("slow start follows an ejection", () => {
  const [bad, other] = [targetDouble("a"), targetDouble("b")];
  const eject = { errors: 1, for: 1000, most: 0.5 };
  const { balancer, clock } = setUp([bad, other], "round-robin", { eject, slowStart: 10_000 });
  balancer.report(bad, true);
  clock.advance(1000);
  expect(countsOf(names(balancer, 1100))["a"]! / 1100).toBeCloseTo(0.1 / 1.1, 2);
});
