/**
 * Writes to a TCP socket without Node's `Writable` in between, whose bookkeeping for each write takes more time than all of
 * Spillway's (docs/decisions/009). It rests on what Node's own `net` calls inside; where any of it is missing, there is no direct
 * writer, and the socket is written to as usual.
 */
import type { Writable } from "node:stream";

/** The handle of a `net.Socket`, as far as it is used here (Node: `src/stream_base.cc`). Whoever writes to it writes nothing through the socket but its end. */
export interface DirectHandle {
  /** Writes what the kernel takes at once and queues the rest. Returns 0 or a negative error number. */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
}

/** Taken by a write that is queued: it may be used for others until then. */
interface WriteRequest {
  oncomplete?: (status: number) => void;
  /** Holds the bytes until they have left. */
  buffer?: Uint8Array;
}

interface Internals {
  readonly WriteRequest: new () => WriteRequest;
  /** Whether the last write was queued. */
  wasQueued(): boolean;
  isHandle(value: unknown): value is DirectHandle;
}

/** What became of a write: all has left, or `onSent` is called once it has, or the connection is broken. */
export type Written = "sent" | "queued" | "broken";

const internals = findInternals();
let spare = internals && new internals.WriteRequest();

/** The handle of a socket that has nothing of its own left to write; `undefined` if there is none to write to. */
export function directHandle(socket: Writable): DirectHandle | undefined {
  const { _handle: handle } = socket as { readonly _handle?: unknown };
  return internals?.isHandle(handle) && socket.writableLength === 0 && !socket.destroyed ? handle : undefined;
}

/** Writes past the socket's stream; in order with all that was written so before. */
export function writeDirect(handle: DirectHandle, bytes: Uint8Array, onSent: (broken: boolean) => void): Written {
  const request = spare!;
  if (handle.writeBuffer(request, bytes) !== 0) return "broken";
  if (!internals!.wasQueued()) return "sent";
  spare = new internals!.WriteRequest();
  request.buffer = bytes;
  request.oncomplete = (status) => onSent(status !== 0);
  return "queued";
}

function findInternals(): Internals | undefined {
  try {
    const { binding } = process as unknown as { binding(name: string): Record<string, unknown> };
    const { WriteWrap, streamBaseState, kLastWriteWasAsync } = binding("stream_wrap");
    const { TCP } = binding("tcp_wrap");
    const known = [WriteWrap, TCP, (TCP as typeof Object).prototype["writeBuffer" as "valueOf"]];
    if (!known.every((value) => typeof value === "function")) return undefined;
    if (!(streamBaseState instanceof Int32Array) || typeof kLastWriteWasAsync !== "number") return undefined;
    return {
      WriteRequest: WriteWrap as Internals["WriteRequest"],
      wasQueued: () => streamBaseState[kLastWriteWasAsync] !== 0,
      isHandle: (value): value is DirectHandle => value instanceof (TCP as typeof Object),
    };
  } catch {
    return undefined;
  }
}
