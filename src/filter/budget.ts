/** The work that an evaluation may still do. */
export interface Budget {
  /** The number of steps left; negative once the evaluation has exceeded its budget. */
  steps: number;
}

/**
 * The steps of an evaluation, in addition to the parts that are evaluated once. They grow with the event as the cost of
 * parsing it does, so that a list in the data can be searched.
 */
export const allowance = { steps: 150, charactersPerStep: 2 };

/** What an operation takes, in steps of about 10 ns. `bench/filter-cost.js` measures whether they are enough. */
export const cost = {
  /** To compare an element of a list. */
  element: 2,
  /** To list the fields of an object, in addition to one step for each. */
  names: 2,
  /** To compare a field of two objects, and for each 32 characters of a name that is looked up. */
  field: 4,
  /** To make a list, in addition to one step for each element that is copied. */
  list: 4,
  /** To make an `int`. */
  int: 4,
  /** To make a number of a text, or a text of a number. */
  conversion: 20,
  /** To look at each of 32 characters, which is slower than to compare or copy them as a whole. */
  characters: 8,
  /** To change a text that is not ASCII. */
  unicode: 40,
} as const;

/** Takes steps from the budget; false if it is exceeded, and the operation has failed. */
export function spend(budget: Budget, steps: number): boolean {
  budget.steps -= steps;
  return budget.steps >= 0;
}

/** The steps of comparing or copying a text. */
export function stepsOf(text: string): number {
  return Math.ceil(text.length / 32);
}
