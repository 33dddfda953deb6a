/** The load client, a separate process: opens groups of connections, reads them, and checks order, counts and times. */
import { nowMicros } from "./load/clock.js";
import { openConnections } from "./load/connect.js";
import { Group } from "./load/group.js";
import { askRequests } from "./load/requests.js";
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
  /** Opens a group's connections. Returns when that started, in µs, and how long it took, in s. */
  async open({ name, first, wantsIds, stalled, ...target }) {
    const group = new Group({ first, wantsIds, stalled });
    const started = nowMicros();
    const entry = { group, sockets: /** @type {import("node:net").Socket[]} */ ([]) };
    groups.set(name, entry);
    entry.sockets = await openConnections(group, target);
    return { startedAt: started, seconds: (nowMicros() - started) / 1e6 };
  },
  /** Resets the counts and times of a group. */
  mark: ({ name }) => find(name).group.mark(),
  /** Returns true once all connections of the group have the event `last`. */
  completed: ({ name, last, timeout }) => find(name).group.completed(last, timeout),
  report: ({ name }) => find(name).group.report(),
  lastId: ({ name }) => find(name).group.readers[0]?.lastId,
  /** Lets stalled connections continue to read. */
  resume({ name }) {
    const { group, sockets } = find(name);
    group.stalled = false;
    for (const socket of sockets) socket.resume();
  },
  request: askRequests,
  /** Closes all connections of a group. */
  leave({ name }) {
    for (const socket of find(name).sockets) socket.destroy();
    groups.delete(name);
  },
});
