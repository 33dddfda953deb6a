/**
 * Writes to a TCP socket without Node's `Writable` in between, whose bookkeeping for each write takes more time than all of
 * Spillway's (docs/decisions/009). It rests on what Node's own `net` calls inside; where any of it is missing, there is no direct
 * writer, and the socket is written to as usual.
 */
import type { Writable } from "node:stream";
import { internals, type TcpHandle } from "./node-internals.ts";

/** What is written to. Whoever writes to the handle writes nothing past it but the end. */
export type DirectHandle = Pick<TcpHandle, "writeBuffer">;

/** What became of a write: all has left, or `onSent` is called once it has, or the connection is broken. */
export type Written = "sent" | "queued" | "broken";

let spare = internals && new internals.WriteRequest();

/** The handle of a socket that has nothing of its own left to write; `undefined` if there is none to write to. */
export function directHandle(socket: Writable): DirectHandle | undefined {
  const { _handle: handle } = socket as { readonly _handle?: unknown };
  return internals?.isTcp(handle) && socket.writableLength === 0 && !socket.destroyed ? handle : undefined;
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
