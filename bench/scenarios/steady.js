/** Used by most scenarios: all clients connect, then events are sent one by one, first as a warm-up, then measured. */
import { setTimeout } from "node:timers/promises";
import { delivery, settle, times } from "./metrics.js";

/** Events/s before the first client connects, and for how long at most, in s. */
const warm = { rate: 1000, seconds: 2 };

/**
 * @typedef {object} Steady
 * @property {number} clients
 * @property {number} rate events a second
 * @property {number} seconds
 * @property {number} warmUp how long clients get events before anything is counted, in s: compilers and buffers warm up
 */

/**
 * @param {import("../types.d.ts").Stage} stage
 * @param {Steady} numbers
 * @param {number} first the number of the first event that the clients get
 */
export async function steady(stage, { clients, rate, seconds, warmUp }, first = 1) {
  // A server that has run for a while has compiled its code for events. At a few events a second, that would take minutes.
  const { last } = await stage.emit.paced(warm.rate, warm.rate * Math.min(warm.seconds, warmUp));
  await setTimeout(settle);
  const group = await stage.open({ count: clients, first: Math.max(first, last + 1) });
  await setTimeout(settle);
  const before = await stage.emit.paced(rate, Math.ceil(rate * warmUp));
  await group.completed(before.last, 60);
  await group.mark();
  const measured = await stage.measure(async () => {
    const emitted = await stage.emit.paced(rate, rate * seconds);
    await group.completed(emitted.last, 60);
    return emitted;
  });
  const report = await group.report();
  return { group, measured, metrics: { ...delivery(measured, report, measured.result.startedAt), ...times(report) } };
}
