/**
 * The parts of Node below its sockets that Spillway uses (docs/decisions/009): the handle that a `net.Socket` is made around, and
 * what is needed to write to it. Where any of them is missing, there are none, and Node's own sockets are used throughout.
 */

/** The handle of a TCP connection, as far as it is used here (Node: `src/stream_base.cc`, `src/tcp_wrap.cc`). */
export interface TcpHandle {
  /** Called as {@link Internals.lastRead} says, with the handle as `this`. */
  onread: (this: TcpHandle, bytes: ArrayBuffer | undefined) => void;
  /** All that may fail returns 0 or a negative error number, `shutdown` also 1 for what is done already. */
  readStart(): number;
  readStop(): number;
  /** Writes what the kernel takes at once and queues the rest. */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
  /** Ends this side behind what is queued. */
  shutdown(request: ShutdownRequest): number;
  /** Calls back in a later turn of the event loop. What is queued is given up. */
  close(closed: () => void): void;
  setNoDelay(on: boolean): number;
  getpeername(out: { address?: string }): number;
}

/** Taken by a write that is queued: it may be used for others until then. */
export interface WriteRequest {
  oncomplete?: (status: number) => void;
  /** Holds the bytes until they have left. */
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
  /** Of the call of `onread` that is under way: how many bytes were read, or a negative error number, and where they begin. */
  lastRead(): { readonly length: number; readonly offset: number };
  isTcp(value: unknown): value is TcpHandle;
}

const methods = ["readStart", "readStop", "writeBuffer", "shutdown", "close", "setNoDelay", "getpeername"] as const;

/** `undefined` if this Node has not all of them. */
export const internals: Internals | undefined = findInternals();

function findInternals(): Internals | undefined {
  try {
    const { binding } = process as unknown as { binding(name: string): Record<string, unknown> };
    const { WriteWrap, ShutdownWrap, streamBaseState: state, ...places } = binding("stream_wrap");
    const { kLastWriteWasAsync: queued, kReadBytesOrError: read, kArrayBufferOffset: offset } = places;
    const { TCP } = binding("tcp_wrap");
    const proto = (TCP as { readonly prototype: Record<string, unknown> }).prototype;
    const known = [WriteWrap, ShutdownWrap, TCP, ...methods.map((name) => proto[name])];
    if (!known.every((value) => typeof value === "function") || !("onread" in proto)) return undefined;
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
