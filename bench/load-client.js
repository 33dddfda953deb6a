/** The load client, a process of its own: opens connections by the group, reads them, checks order, counts and times. */
import { nowMicros } from "./load/clock.js";
import { openConnections } from "./load/connect.js";
import { Group } from "./load/group.js";
import { answerCalls } from "./rpc.js";

/** @type {Map<string, { group: Group, sockets: import("node:net").Socket[] }>} */
const groups = new Map();

/** @param {string} name */
function find(name) {
  const found = groups.get(name);
  if (!found) throw new Error(`no group is called ${name}`);
  return found;
}

answerCalls({
  /** Opens a group's connections. Answers when that began, in µs, and how long it took, in s. */
  async open({ name, first, wantsIds, stalled, ...target }) {
    const group = new Group({ first, wantsIds, stalled });
    const started = nowMicros();
    const entry = { group, sockets: /** @type {import("node:net").Socket[]} */ ([]) };
    groups.set(name, entry);
    entry.sockets = await openConnections(group, target);
    return { startedAt: started, seconds: (nowMicros() - started) / 1e6 };
  },
  /** Counts and times of this group start anew. */
  mark: ({ name }) => find(name).group.mark(),
  /** Answers true once all of the group have the event `last`. */
  completed: ({ name, last, timeout }) => find(name).group.completed(last, timeout),
  report: ({ name }) => find(name).group.report(),
  lastId: ({ name }) => find(name).group.readers[0]?.lastId,
  /** Lets connections that were stalled read on. */
  resume({ name }) {
    const { group, sockets } = find(name);
    group.stalled = false;
    for (const socket of sockets) socket.resume();
  },
  /** Closes all of its connections. */
  leave({ name }) {
    for (const socket of find(name).sockets) socket.destroy();
    groups.delete(name);
  },
});
