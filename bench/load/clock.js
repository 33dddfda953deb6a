/** The time in µs on the monotonic clock that all processes of a machine share, as process.hrtime does it, but without a BigInt per call. */
import { performance } from "node:perf_hooks";

const offset = Number(process.hrtime.bigint() / 1000n) - performance.now() * 1000;

export function nowMicros() {
  return offset + performance.now() * 1000;
}
