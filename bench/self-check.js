/** Runs before any measurement: the load client's reader must find intentional faults, however the bytes are split. */
import { deepStrictEqual } from "node:assert/strict";
import { Group } from "./load/group.js";
import { Reader } from "./load/reader.js";

/** Event 4 is missing, 6 is duplicate, 9 follows 10; 12 is the last, and 13 does not arrive. */
const sequence = [1, 2, 3, 5, 6, 6, 7, 8, 10, 9, 11, 12];
const expected = { received: 12, lost: 2, duplicates: 1, disordered: 1, refused: 0, lastId: "x.12" };

/** @throws {Error} if the reader counts wrong */
export function checkReader() {
  const events = sequence.map(
    (n) => `id: x.${n}\ndata:${n % 2 ? " " : ""}{"n":${n},"t":0,"p":"${"y".repeat(n * 20)}"}\n\n`,
  );
  const texts = ['event: connected\ndata: {"client":"d"}\n\n', ...events.slice(0, 5), ":\n\n", ...events.slice(5)];
  const chunks = texts.map((text) => `${text.length.toString(16)};x=1\r\n${text}\r\n`);
  const heads = { raw: "HTTP/1.1 200 OK\r\n\r\n", chunked: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" };
  for (let size = 1; size < 300; size++) {
    deepStrictEqual(count(heads.raw + texts.join(""), size), expected, `raw, ${size} bytes at a time`);
    deepStrictEqual(count(heads.chunked + chunks.join(""), size), expected, `chunked, ${size} bytes at a time`);
  }
}

/**
 * @param {string} text
 * @param {number} size bytes of a read
 */
function count(text, size) {
  const group = new Group({ first: 1, wantsIds: true });
  const reader = new Reader(group);
  group.readers.push(reader);
  const buffer = Buffer.alloc(size);
  for (let at = 0; at < text.length; at += size) reader.push(buffer, buffer.write(text.slice(at, at + size), "latin1"));
  void group.completed(13, 0);
  const { received, lost, duplicates, disordered, refused } = group.report();
  return { received, lost, duplicates, disordered, refused, lastId: reader.lastId };
}
