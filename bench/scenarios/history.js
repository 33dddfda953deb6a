/** Clients that reconnect to a long log. */
import { setTimeout } from "node:timers/promises";
import { median } from "../stats.js";
import { settle } from "./metrics.js";

/** @typedef {import("../types.d.ts").Stage} Stage */

/** The number of clients that reconnect, one after the other, at the nearer of the two positions. */
const tries = 5;

/**
 * @typedef {object} Place
 * @property {string} id of an event
 * @property {number} number of the same
 */

/**
 * Fills the log with events. One client records the id of the first event, and of the one `behind` events before the last.
 * @param {Stage} stage
 * @param {number} count
 * @param {number} behind
 */
export async function fillHistory({ open, emit, running }, count, behind) {
  const watcher = await open({ count: 1, first: 1, wantsIds: true, apart: true });
  await setTimeout(settle);

  /** @param {number} more @returns {Promise<Place>} */
  async function fill(more) {
    const { last } = await emit.fill(more);
    await running.stored?.(last);
    await watcher.completed(last, 300);
    return { id: await watcher.lastId(), number: last };
  }
  const far = await fill(1);
  const near = await fill(count - behind - 1);
  const { number: last } = await fill(behind);
  return { watcher, far, near, last };
}

/**
 * Reconnects at both positions and measures the ms until the first event; `replayed` is the rate in events/s of one client.
 * @param {Stage} stage
 * @param {Awaited<ReturnType<typeof fillHistory>>} past
 * @param {number} last the number of the newest event
 */
export async function replayHistory(stage, { watcher, far, near }, last) {
  const tried = [];
  for (let index = 0; index < tries; index++) tried.push(await comeBack(stage, near, last));
  const all = await comeBack(stage, far, last);
  await watcher.completed(last, 30);
  return {
    near: median(tried.map(({ first }) => first)),
    far: all.first,
    replayed: all.replayed,
    reports: [...tried.map(({ report }) => report), all.report, await watcher.report()],
  };
}

/**
 * @param {Stage} stage
 * @param {Place} from
 * @param {number} last
 */
async function comeBack({ open }, { id, number }, last) {
  const headers = { "Last-Event-ID": id };
  const group = await open({ count: 1, first: number + 1, headers, apart: true });
  await group.completed(last, 120);
  const report = await group.report();
  const { received, firstAt, lastAt } = report;
  return {
    report,
    first: (firstAt - group.startedAt) / 1000,
    replayed: (received / (lastAt - group.startedAt)) * 1e6,
  };
}
