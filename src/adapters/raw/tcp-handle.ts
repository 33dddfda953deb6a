/**
 * Writes to the handle that a `net.Socket` wraps, without Node's `Writable`, whose bookkeeping takes more time per write
 * than all of Spillway (docs/decisions/009). If any of the internals of Node that this takes is missing, none is used,
 * and everything goes through Node's own sockets.
 */
import type { Writable } from "node:stream";

/** The members used here of the handle of a TCP connection (Node: `src/stream_base.cc`, `src/tcp_wrap.cc`). */
export interface TcpHandle {
  /** Called with the handle as `this`; {@link Internals.lastRead} returns the length and offset of the bytes. */
  onread: (this: TcpHandle, bytes: ArrayBuffer | undefined) => void;
  // Methods that can fail return 0 or a negative error number; `shutdown` also returns 1 if it is already done.
  readStart(): number;
  readStop(): number;
  /** Writes as much as the kernel accepts at once, and queues the rest. */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
  /** Ends this side after the queued bytes. */
  shutdown(request: ShutdownRequest): number;
  /** Discards queued bytes. Calls back in a later turn of the event loop. */
  close(closed: () => void): void;
  setNoDelay(on: boolean): number;
  getpeername(out: { address?: string }): number;
  /** The number of bytes that are queued. */
  readonly writeQueueSize: number;
}

/** Belongs to a write once that is queued; until then it can be reused for other writes. */
export interface WriteRequest {
  oncomplete?: (status: number) => void;
  /** Keeps a reference to the bytes until they have been sent. */
  buffer?: Uint8Array;
}

export interface ShutdownRequest {
  oncomplete?: () => void;
}

interface Internals {
  readonly WriteRequest: new () => WriteRequest;
  readonly ShutdownRequest: new () => ShutdownRequest;
  /** Whether the last write was queued. */
  wasQueued(): boolean;
  /** For the current call of `onread`: the number of bytes read, or a negative error number, and their offset. */
  lastRead(): { readonly length: number; readonly offset: number };
  isTcp(value: unknown): value is TcpHandle;
}

const methods = ["readStart", "readStop", "writeBuffer", "shutdown", "close", "setNoDelay", "getpeername"] as const;

/** `undefined` if this version of Node lacks any of them. */
export const internals: Internals | undefined = findInternals();

function findInternals(): Internals | undefined {
  try {
    const { binding } = process as unknown as { binding(name: string): Record<string, unknown> };
    const { WriteWrap, ShutdownWrap, streamBaseState: state, ...places } = binding("stream_wrap");
    const { kLastWriteWasAsync: queued, kReadBytesOrError: read, kArrayBufferOffset: offset } = places;
    const { TCP } = binding("tcp_wrap");
    const proto = (TCP as { readonly prototype: Record<string, unknown> }).prototype;
    const known = [WriteWrap, ShutdownWrap, TCP, ...methods.map((name) => proto[name])];
    if (!known.every((value) => typeof value === "function") || !("onread" in proto && "writeQueueSize" in proto))
      return undefined;
    if (!(state instanceof Int32Array)) return undefined;
    if (typeof queued !== "number" || typeof read !== "number" || typeof offset !== "number") return undefined;
    return {
      WriteRequest: WriteWrap as Internals["WriteRequest"],
      ShutdownRequest: ShutdownWrap as Internals["ShutdownRequest"],
      wasQueued: () => state[queued] !== 0,
      lastRead: () => ({ length: state[read]!, offset: state[offset]! }),
      isTcp: (value): value is TcpHandle => value instanceof (TCP as typeof Object),
    };
  } catch {
    return undefined;
  }
}

/** A handle to write to. Once it is used, everything but the end of the connection must be written through it. */
export type DirectHandle = Pick<TcpHandle, "writeBuffer">;

/** The result of a write: all bytes are sent, or `onSent` is called once they are, or the connection is broken. */
export type Written = "sent" | "queued" | "broken";

let spare = internals && new internals.WriteRequest();

/** The handle of a socket whose own buffer is empty; `undefined` if the socket cannot be written to directly. */
export function directHandle(socket: Writable): DirectHandle | undefined {
  const { _handle: handle } = socket as { readonly _handle?: unknown };
  return internals?.isTcp(handle) && socket.writableLength === 0 && !socket.destroyed ? handle : undefined;
}

/** Writes directly to the handle, in order with earlier direct writes. */
export function writeDirect(handle: DirectHandle, bytes: Uint8Array, onSent: (broken: boolean) => void): Written {
  const request = spare!;
  if (handle.writeBuffer(request, bytes) !== 0) return "broken";
  if (!internals!.wasQueued()) return "sent";
  spare = new internals!.WriteRequest();
  request.buffer = bytes;
  request.oncomplete = (status) => onSent(status !== 0);
  return "queued";
}
