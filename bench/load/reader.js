/**
 * Parses the bytes of one connection: the response head, a chunked or raw body, and the lines
 * `data: {"n":<number>,"t":<ns>,…` in it. It allocates nothing per event: the numbers are parsed in place.
 */

/** @typedef {import("./group.js").Group} Group */

const newline = 10;
const returns = 13;
const space = 32;
const semicolon = 59;
const zero = 48;
const letterD = 100;
const letterI = 105;

/** The relevant part of a line is in its first bytes. This many are kept when a read ends within them. */
const headSize = 96;

export class Reader {
  /** The status of the response, 0 until its head is complete. */
  status = 0;
  /** The number of the next expected event; 0 if any may be the first. */
  next;
  /** All expected events have arrived, or will not arrive any more. */
  done = false;
  /** The id of the last event, if the group records ids. */
  lastId = "";
  /** Events that were passed over, and may still come out of order. @type {Set<number> | undefined} */
  holes;

  /** @type {Group} */
  #group;
  #head = "";
  #chunked = false;
  /** Remaining bytes of the chunk, and the partially parsed size of the next one. */
  #left = 0;
  #size = 0;
  #digits = 0;
  #extension = false;
  /** The start of the line has been parsed; the rest is skipped. */
  #skipping = false;
  /** The beginning of a line that a read split. */
  #carry = Buffer.alloc(headSize);
  #carried = 0;

  /** @param {Group} group */
  constructor(group) {
    this.#group = group;
    this.next = group.first;
  }

  /**
   * @param {Buffer} bytes
   * @param {number} end how many of them are new
   */
  push(bytes, end) {
    let at = this.status === 0 ? this.#readHead(bytes, end) : 0;
    if (!this.#chunked) return this.#readBody(bytes, at, end);
    while (at < end) {
      if (this.#left === 0) {
        at = this.#readSize(bytes, at, end);
        continue;
      }
      const stop = Math.min(end, at + this.#left);
      this.#readBody(bytes, at, stop);
      this.#left -= stop - at;
      at = stop;
    }
  }

  /** @returns {number} where the body begins */
  #readHead(/** @type {Buffer} */ bytes, /** @type {number} */ end) {
    const before = this.#head.length;
    this.#head += bytes.toString("latin1", 0, end);
    const stop = this.#head.indexOf("\r\n\r\n");
    if (stop === -1) return end;
    this.status = Number(this.#head.slice(9, 12));
    this.#chunked = /^transfer-encoding: *chunked/im.test(this.#head.slice(0, stop));
    this.#head = "";
    this.#group.onHead(this);
    return stop + 4 - before;
  }

  /** Parses a chunk size, and the line ending of the preceding chunk (RFC 9112 §7.1). */
  #readSize(/** @type {Buffer} */ bytes, /** @type {number} */ start, /** @type {number} */ end) {
    for (let at = start; at < end; at++) {
      const byte = /** @type {number} */ (bytes[at]);
      if (byte === newline) {
        const complete = this.#digits > 0;
        this.#left = this.#size;
        this.#size = this.#digits = 0;
        this.#extension = false;
        if (complete) return at + 1;
      } else if (byte === semicolon) this.#extension = true;
      else if (byte !== returns && !this.#extension) {
        this.#size = this.#size * 16 + (byte < 58 ? byte - zero : (byte | space) - 87);
        this.#digits++;
      }
    }
    return end;
  }

  #readBody(/** @type {Buffer} */ bytes, /** @type {number} */ start, /** @type {number} */ end) {
    let at = start;
    while (at < end) {
      if (this.#skipping) {
        const stop = bytes.indexOf(newline, at);
        if (stop === -1 || stop >= end) return;
        this.#skipping = false;
        at = stop + 1;
      } else if (this.#carried > 0 || end - at < headSize) at = this.#carryOn(bytes, at, end);
      else at = this.#readLine(bytes, at);
    }
  }

  /** Completes the start of a line that was split over reads. */
  #carryOn(/** @type {Buffer} */ bytes, /** @type {number} */ start, /** @type {number} */ end) {
    for (let at = start; at < end; at++) {
      const byte = /** @type {number} */ (bytes[at]);
      this.#carry[this.#carried++] = byte;
      if (byte !== newline && this.#carried < headSize) continue;
      this.#carried = 0;
      this.#readLine(this.#carry, 0);
      this.#skipping = byte !== newline;
      return at + 1;
    }
    return end;
  }

  /** Parses the line that starts here and whose start is complete. Returns the position to continue at. */
  #readLine(/** @type {Buffer} */ bytes, /** @type {number} */ start) {
    const first = bytes[start];
    if (first === newline) return start + 1;
    this.#skipping = true;
    if (first === letterI && this.#group.wantsIds) this.#readId(bytes, start);
    if (first !== letterD) return start;
    // "data:" and an optional space, then {"n":1,"t":2
    let at = start + (bytes[start + 5] === space ? 11 : 10);
    if (bytes[at - 3] !== 110 || bytes[at - 1] !== 58) return start;
    let digit = 0;
    let n = 0;
    while ((digit = /** @type {number} */ (bytes[at]) - zero) >= 0 && digit < 10) {
      n = n * 10 + digit;
      at++;
    }
    at += 5;
    let time = 0;
    while ((digit = /** @type {number} */ (bytes[at]) - zero) >= 0 && digit < 10) {
      time = time * 10 + digit;
      at++;
    }
    this.#group.onEvent(this, n, time);
    return at;
  }

  #readId(/** @type {Buffer} */ bytes, /** @type {number} */ start) {
    this.lastId = bytes.toString("latin1", start + 3, bytes.indexOf(newline, start)).trim();
  }
}
