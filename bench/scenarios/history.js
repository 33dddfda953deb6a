/** A log that holds much, and clients that come back to it. */
import { setTimeout } from "node:timers/promises";
import { median } from "../stats.js";
import { settle } from "./metrics.js";

/** @typedef {import("../types.d.ts").Stage} Stage */

/** Clients that come back one after the other from the nearer of the two places. */
const tries = 5;

/**
 * @typedef {object} Place
 * @property {string} id of an event
 * @property {number} number of the same
 */

/**
 * Puts so many events into the log, with one client there to note the first one's id, and that of the one `behind` before the last.
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
 * Comes back to both places, in ms until the first event; `replayed` are the events a second that one client gets.
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
