/** All clients connect, and many events are created at once. */
import { setTimeout } from "node:timers/promises";
import { delivery, faults, settle, times } from "./metrics.js";

/**
 * @param {import("../types.d.ts").Stage} stage
 * @param {{ clients: number, events: number }} numbers
 * @returns {Promise<import("../types.d.ts").Metrics>}
 */
export async function atOnce(stage, { clients, events }) {
  const group = await stage.open({ count: clients, first: 1 });
  await setTimeout(settle);
  // A smaller burst first, as a warm-up.
  const before = await stage.emit.burst(events / 10);
  await group.completed(before.last, 60);
  await group.mark();
  const measured = await stage.measure(async () => {
    const emitted = await stage.emit.burst(events);
    await group.completed(emitted.last, 120);
    return emitted;
  });
  const report = await group.report();
  return { ...delivery(measured, report, measured.result.startedAt), ...times(report), ...faults(report) };
}
