/** Asks short requests over many connections, the next one of a connection as soon as the last one is answered. */
import { connect } from "node:net";
import { nowMicros } from "./clock.js";
import { Histogram } from "./histogram.js";
import { answerFor, smallPath } from "./small.js";

/** One buffer for all sockets: it is worked through before the next read. */
const shared = Buffer.allocUnsafeSlow(64 * 1024);

/** The end of a body in chunks (RFC 9112 §7.1). */
const lastChunk = "\r\n0\r\n\r\n";

/**
 * @typedef {object} RequestLoad
 * @property {string} host
 * @property {number} port
 * @property {number} connections
 * @property {number} seconds
 * @property {number} size bytes of an answer's body
 */

/**
 * @param {RequestLoad} load
 * @returns {Promise<import("../types.d.ts").RequestReport>}
 */
export async function askRequests(load) {
  const asker = new Asker(load);
  const startedAt = nowMicros();
  await Promise.all(Array.from({ length: load.connections }, () => asker.run(startedAt + load.seconds * 1e6)));
  return { ...asker.report(), seconds: (nowMicros() - startedAt) / 1e6 };
}

/** @param {string} response */
function isChunked(response) {
  return /^transfer-encoding: *chunked/im.test(response);
}

class Asker {
  #load;
  #asked = 0;
  #answered = 0;
  #refused = 0;
  #wrong = 0;
  #closed = 0;
  #latency = new Histogram();

  /** @param {RequestLoad} load */
  constructor(load) {
    this.#load = load;
  }

  /** Asks over one connection, and over another if it is closed, until the time has come. @param {number} until in µs */
  async run(until) {
    while (nowMicros() < until) if (!(await this.#connection(until))) this.#closed++;
  }

  /**
   * Resolves to whether the server left it open to the end.
   * @param {number} until
   * @returns {Promise<boolean>}
   */
  #connection(until) {
    const { host, port, size } = this.#load;
    const tail = ` HTTP/1.1\r\nHost: ${host}:${port}\r\nAccept: application/json\r\nUser-Agent: bench\r\n\r\n`;
    let [body, text, askedAt] = ["", "", 0];
    return new Promise((resolve) => {
      const ask = () => {
        const n = ++this.#asked;
        body = answerFor(n, size);
        text = "";
        askedAt = nowMicros();
        socket.write(`GET ${smallPath}${n}${tail}`);
      };
      const onRead = (/** @type {number} */ length, /** @type {Buffer} */ bytes) => {
        text += bytes.toString("latin1", 0, length);
        if (!text.startsWith("HTTP/1.1 200")) this.#refused++;
        else if (text.endsWith(isChunked(text) ? body + lastChunk : body)) this.#answered++;
        else if (text.length < 2 * size + 1000) return true;
        else this.#wrong++;
        const now = nowMicros();
        this.#latency.add(now - askedAt);
        if (now < until) ask();
        else {
          resolve(true);
          socket.destroy();
        }
        return true;
      };
      const socket = connect({ host, port, noDelay: true, onread: { buffer: shared, callback: onRead } }, ask);
      socket.on("error", () => {});
      socket.once("close", () => resolve(false));
    });
  }

  report() {
    return {
      answered: this.#answered,
      refused: this.#refused,
      wrong: this.#wrong,
      closed: this.#closed,
      p50: this.#latency.quantile(0.5) / 1000,
      p99: this.#latency.quantile(0.99) / 1000,
    };
  }
}
