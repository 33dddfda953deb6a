/**
 * Writes to a TCP socket without Node's `Writable`, whose bookkeeping takes more time per write than all of Spillway
 * (docs/decisions/009). It uses the internals of Node's own `net`; where any of them is missing, there is no direct
 * writer, and the socket is written to as usual.
 */
import type { Writable } from "node:stream";
import { internals, type TcpHandle } from "./node-internals.ts";

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
