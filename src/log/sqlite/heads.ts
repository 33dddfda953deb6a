import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { openPrivate } from "./private-files.ts";

/** The number of a stream's last acknowledged event. */
export interface Head {
  /** Id of the stream. */
  readonly id: number;
  readonly epoch: string;
  readonly head: number;
}

/**
 * The heads of all streams, in a file beside the database: events that a damaged write-ahead log loses leave no trace
 * in the database itself. The file is written after each commit and before its answer, so it is never ahead of an
 * intact database.
 */
export interface Heads {
  /** The head of a stream in the file; `undefined` if there is none or it is unreadable. */
  get(id: number): Head | undefined;
  /** All heads in the file. */
  all(): Iterable<Head>;
  set(head: Head): void;
  /** Sets a higher head of a stream. */
  raise(id: number, head: number): void;
  /** Replaces all heads by these, and writes them at once. */
  replace(heads: readonly Head[]): void;
  /** Writes the changes to the file, so that they survive the end of the process. */
  write(): void;
  /** Syncs the file, so that the changes survive a power cut. */
  sync(): void;
  close(): void;
}

/** Size of a record, in bytes. A record never crosses a page or a sector, so it is written entirely or not at all. */
const recordSize = 64;

/**
 * Opens the heads of a database. The first record is that of stream 1. Records are text, so that people can read the
 * file.
 */
export function openHeads(path: string): Heads {
  const file = openPrivate(path);
  let records = readAll(file);
  const heads = new Map(parseAll(records).map((head) => [head.id, head]));
  let dirty: { from: number; to: number } | undefined;
  let synced = true;

  function set(head: Head): void {
    const { id } = head;
    const known = heads.get(id);
    if (known?.head === head.head && known.epoch === head.epoch) return;
    heads.set(id, head);
    const from = (id - 1) * recordSize;
    const to = from + recordSize;
    if (to > records.length)
      records = Buffer.concat([records, Buffer.alloc(Math.max(to, 2 * records.length) - records.length)]);
    records.write(format(head), from, "latin1");
    dirty = dirty ? { from: Math.min(dirty.from, from), to: Math.max(dirty.to, to) } : { from, to };
  }

  function write(): void {
    if (!dirty) return;
    const { from, to } = dirty;
    writeSync(file, records, from, to - from, from);
    dirty = undefined;
    synced = false;
  }

  function sync(): void {
    if (!synced) fdatasyncSync(file);
    synced = true;
  }

  return {
    get: (id) => heads.get(id),
    all: () => heads.values(),
    set,
    raise(id, head) {
      const known = heads.get(id);
      if (known && head > known.head) set({ ...known, head });
    },
    replace(next) {
      heads.clear();
      records = Buffer.alloc(0);
      ftruncateSync(file, 0);
      for (const head of next) set(head);
      write();
      sync();
    },
    write,
    sync,
    close: () => closeSync(file),
  };
}

function readAll(file: number): Buffer {
  const bytes = Buffer.alloc(fstatSync(file).size);
  readSync(file, bytes, 0, bytes.length, 0);
  return bytes;
}

function parseAll(records: Buffer): Head[] {
  return Array.from({ length: Math.floor(records.length / recordSize) }, (_, index) => {
    const from = index * recordSize;
    return parse(records.toString("latin1", from, from + recordSize), index + 1);
  }).filter((head) => head !== undefined);
}

/** The record of a head: id, epoch, head, and a checksum of them. */
function format({ id, epoch, head }: Head): string {
  const text = `${String(id).padStart(10)} ${epoch.padEnd(16)} ${String(head).padStart(16)}`;
  return `${text} ${checksum(text)}`.padEnd(recordSize - 1) + "\n";
}

/** Parses a record that {@link format} wrote for the stream; `undefined` for anything else. */
function parse(record: string, id: number): Head | undefined {
  const [, epoch, head] = record.trim().split(/ +/);
  if (epoch === undefined || head === undefined) return undefined;
  const found = { id, epoch, head: Number(head) };
  return format(found) === record ? found : undefined;
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
