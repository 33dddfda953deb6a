/** Short requests: each has a number, which its answer has to name. */

/** Before the number. */
export const smallPath = "/small/";

/**
 * The body of an answer.
 * @param {string | number} n
 * @param {number} size in bytes
 */
export function answerFor(n, size) {
  const head = `{"n":${n},"p":"`;
  return `${head}${"x".repeat(size - head.length - 2)}"}`;
}
