import { beforeEach, describe, expect, test } from "vitest";
import { createTargets } from "../../../src/upstream/retry.ts";

const targets = ["a", "b", "c"].map((name) => ({ name, url: `http://${name}/` }));
let time = 0;
const now = (): number => time;

beforeEach(() => {
  time = 1000;
});

describe("failover", () => {
  const make = () => createTargets({ targets, balance: "failover", coolDown: 100 }, now);

  test("stays with the first while it does not fail", () => {
    const list = make();
    expect([list.next(), list.next()].map(({ target }) => target.name)).toEqual(["a", "a"]);
  });

  test("skips failed targets until they have cooled down", () => {
    const list = make();
    list.next();
    list.failed(0);
    expect(list.next()).toEqual({ target: targets[1], cooling: false, wait: 0 });
    time += 100;
    expect(list.next().target.name).toBe("a");
  });

  test("takes the one that cools down first if all do", () => {
    const list = make();
    list.next();
    list.failed(1000);
    list.next();
    time += 10;
    list.failed(0);
    list.next();
    time += 10;
    list.failed(40);
    expect(list.next()).toEqual({ target: targets[1], cooling: true, wait: 0 });
    time += 500;
    list.failed(5000);
    expect(list.next().target.name).toBe("c");
    list.failed(5000);
    expect(list.next()).toEqual({ target: targets[0], cooling: true, wait: 480 });
  });
});

test("round robin takes the next one at each attempt and skips those that cool down", () => {
  const list = createTargets({ targets, balance: "round-robin", coolDown: 100 }, now);
  const names = (count: number): string[] => Array.from({ length: count }, () => list.next().target.name);
  expect(names(4)).toEqual(["a", "b", "c", "a"]);
  list.failed(0);
  expect(names(4)).toEqual(["b", "c", "b", "c"]);
  time += 100;
  expect(names(2)).toEqual(["a", "b"]);
});
