import fc from "fast-check";
import { expect, test } from "vitest";
import { createRing } from "../../../../src/log/memory/ring.ts";

test("a ring has the same items as an array, however it is filled and emptied", () => {
  const steps = fc.array(fc.record({ push: fc.nat(40), shift: fc.nat(40) }), { maxLength: 40 });
  fc.assert(
    fc.property(steps, (rounds) => {
      const ring = createRing<number>();
      const array: number[] = [];
      let next = 0;
      for (const { push, shift } of rounds) {
        for (let count = 0; count < push; count++) {
          ring.push(next);
          array.push(next++);
        }
        for (let count = 0; count < Math.min(shift, array.length); count++) expect(ring.shift()).toBe(array.shift());
        expect(Array.from({ length: ring.length }, (_, index) => ring.at(index))).toEqual(array);
      }
    }),
  );
});

test("an index outside the ring is refused", () => {
  const ring = createRing<string>();
  expect(() => ring.shift()).toThrow(RangeError);
  ring.push("a");
  for (const index of [-1, 1, 16]) expect(() => ring.at(index)).toThrow(RangeError);
});
