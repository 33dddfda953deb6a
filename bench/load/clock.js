/** The time in µs of the monotonic clock that all processes of a machine share, without the BigInt per call of `process.hrtime`. */
import { performance } from "node:perf_hooks";

/** Of several samples, the one with the shortest time between its two readings. */
const offset = Math.max(
  ...Array.from({ length: 20 }, () => Number(process.hrtime.bigint()) / 1000 - performance.now() * 1000),
);

export function nowMicros() {
  return offset + performance.now() * 1000;
}
