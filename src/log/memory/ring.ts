/** A queue in a circular array: push, shift and access by index take constant time, however much is shifted. */
export interface Ring<T> {
  readonly length: number;
  /** The item at `index`, counted from the oldest. */
  at(index: number): T;
  push(item: T): void;
  /** Removes and returns the oldest item. */
  shift(): T;
}

const smallest = 16;

/** Makes an empty ring. It doubles when full and halves when a quarter full. */
export function createRing<T>(): Ring<T> {
  let slots = new Array<T | undefined>(smallest);
  let start = 0;
  let length = 0;

  // The number of slots is a power of two, so that a mask wraps an index.
  const slot = (index: number): number => (start + index) & (slots.length - 1);

  function resize(size: number): void {
    const next = new Array<T | undefined>(size);
    for (let index = 0; index < length; index++) next[index] = slots[slot(index)];
    slots = next;
    start = 0;
  }

  return {
    get length() {
      return length;
    },
    at(index) {
      if (index < 0 || index >= length) throw new RangeError(`no item ${index} in a ring of ${length}`);
      return slots[slot(index)] as T;
    },
    push(item) {
      if (length === slots.length) resize(length * 2);
      slots[slot(length++)] = item;
    },
    shift() {
      if (length === 0) throw new RangeError("the ring is empty");
      const item = slots[start] as T;
      slots[start] = undefined;
      start = slot(1);
      length--;
      if (slots.length > smallest && length <= slots.length / 4) resize(slots.length / 2);
      return item;
    },
  };
}
