/** For the conformance suite's own test runner. A test of it that waits for a fixed time may need a second try on a busy machine. */
export default {
  test: { include: ["**/*.js"], exclude: [], reporters: ["json"], testTimeout: 15_000, retry: 1 },
};
