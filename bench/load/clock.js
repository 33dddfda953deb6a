/** The time in µs on the monotonic clock that all processes of a machine share, as process.hrtime does it, but without a BigInt per call. */
import { performance } from "node:perf_hooks";

/** Of several looks the one that was interrupted least between its two halves. */
const offset = Math.max(
  ...Array.from({ length: 20 }, () => Number(process.hrtime.bigint()) / 1000 - performance.now() * 1000),
);

export function nowMicros() {
  return offset + performance.now() * 1000;
}
