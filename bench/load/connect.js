/** Opens many connections that read an event stream. */
import { connect } from "node:net";
import { Reader } from "./reader.js";

/** @typedef {import("./group.js").Group} Group */
/** @typedef {import("node:net").Socket} Socket */

/** One buffer for all sockets: its content is processed before the next read. */
const shared = Buffer.allocUnsafeSlow(64 * 1024);

/** Number of connections opened at the same time: well below Linux's default accept queue of 4,096. */
const concurrency = 1024;

/**
 * @typedef {object} Target
 * @property {string} host
 * @property {number} port
 * @property {readonly string[]} paths given to the connections in turn
 * @property {number} count
 * @property {Record<string, string>} [headers]
 */

/**
 * Resolves once every connection has its response head or was refused.
 * @param {Group} group
 * @param {Target} target
 * @returns {Promise<Socket[]>}
 */
export function openConnections(group, target) {
  /** @type {Socket[]} */
  const sockets = [];
  return new Promise((resolve) => {
    const more = () => {
      while (sockets.length < target.count && sockets.length - group.answered < concurrency) {
        const reader = new Reader(group);
        group.readers.push(reader);
        openOne(reader, group, target, sockets, sockets.length);
      }
      if (group.answered >= target.count) resolve(sockets);
    };
    group.onAnswer = more;
    more();
  });
}

/**
 * @param {Reader} reader
 * @param {Group} group
 * @param {Target} target
 * @param {Socket[]} sockets
 * @param {number} index where its socket goes
 */
function openOne(reader, group, target, sockets, index) {
  const { host, port } = target;
  const onRead = (/** @type {number} */ length, /** @type {Buffer} */ bytes) => {
    const before = group.received;
    group.begin();
    reader.push(bytes, length);
    group.end(before);
    return !group.stalled || reader.status === 0;
  };
  const onread = { buffer: shared, callback: /** @type {any} */ (onRead) };
  const socket = connect({ host, port, ...nextSource(), onread });
  let taken = false;
  socket.once("connect", () => socket.write(requestFor(target, index)));
  socket.on("error", (/** @type {NodeJS.ErrnoException} */ { code }) => (taken = code === "EADDRINUSE"));
  socket.once("close", () => (taken ? openOne(reader, group, target, sockets, index) : group.onClose(reader)));
  sockets[index] = socket;
}

/**
 * @param {Target} target
 * @param {number} index
 */
function requestFor({ host, port, paths, headers = {} }, index) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return (
    `GET ${paths[index % paths.length]} HTTP/1.1\r\nHost: ${host}:${port}\r\n` +
    `Accept: text/event-stream\r\nCache-Control: no-cache\r\n${lines.join("")}\r\n`
  );
}

/** Ports used per address: outside the system's range of ephemeral ports. */
const ports = { first: 20_000, count: 10_000 };

/** Closed connections keep their ports for a minute, so the next load client process uses other addresses. */
const network = `127.${1 + (process.pid % 250)}.0`;

let sources = 0;

/**
 * The local address of the next connection. With an explicit port, the system need not search for a free one, which would take
 * longer than the rest of connecting. Only Linux accepts any address of 127.0.0.0/8; elsewhere the system chooses.
 */
function nextSource() {
  if (process.platform !== "linux") return {};
  const index = sources++;
  return {
    localAddress: `${network}.${1 + Math.floor(index / ports.count)}`,
    localPort: ports.first + (index % ports.count),
  };
}
