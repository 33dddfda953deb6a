import type { Server } from "node:net";
import { internals, writeDirect, type DirectHandle, type TcpHandle } from "./tcp-handle.ts";

/** A TCP connection without a `net.Socket`, with the member names of a socket. */
export interface HandleConnection {
  readonly destroyed: boolean;
  /** Whether the client has ended its side. It may still read. */
  readonly readableEnded: boolean;
  /** A handle for direct writes, instead of {@link HandleConnection.write}. */
  readonly tcp: DirectHandle;
  /** Bytes that are queued in the handle. */
  readonly writableLength: number;
  readonly remoteAddress: string | undefined;
  /** Whether another request may follow the one in progress. */
  readonly isPersistent: boolean;
  /** Returns false if the bytes were queued or the connection is closed. */
  write(bytes: Uint8Array): boolean;
  /** Expects the next request: what has arrived since the last one comes first. */
  next(): void;
  /** Closes the connection once all bytes have been sent. */
  destroySoon(): void;
  destroy(): void;
  /**
   * `end`: the client has ended its side. `close`: the connection is closed; emitted once, in a later event loop turn.
   */
  on(event: "close" | "drain" | "end", listener: () => void): unknown;
  off(event: "close" | "drain" | "end", listener: () => void): unknown;
}

/**
 * What becomes of a connection. `leave`: it is handed over, with the bytes, to the server's own listeners as a new
 * connection, and this one counts as closed. `last`: all further input is dropped. `keep`: further input is held until
 * {@link HandleConnection.next}.
 */
export type Use = "leave" | "last" | "keep";

/** Receives the connections of a server. */
export interface HandleListener {
  /** A connection was accepted; it has sent nothing yet. */
  onOpen(connection: HandleConnection): void;
  /** The first bytes of a connection, or of its next request. */
  onBytes(connection: HandleConnection, bytes: Buffer): Use;
}

/** How many bytes are held while a request is in progress. A client that sends more is not read from until then. */
const maxHeld = 8 * 1024;

/** The handle of a listening server. */
interface ListenHandle {
  onconnection(this: ListenHandle, status: number, handle: unknown): void;
}

/**
 * Takes over the connections of a server that listens on TCP before Node creates sockets for them, which need more time
 * and memory than the rest of a subscriber. Where Node lacks the internals for it, this does nothing, and all
 * connections go to the server's own listeners.
 */
export function acceptHandles(server: Server, listener: HandleListener): void {
  let putBack: Buffer | undefined;
  server.prependListener("connection", (socket) => {
    if (putBack) socket.unshift(putBack);
    putBack = undefined;
  });
  server.on("listening", () => {
    const { _handle: listening } = server as unknown as { readonly _handle: ListenHandle };
    const { onconnection: accept } = listening;
    if (!internals || typeof accept !== "function") return;
    const leave = (handle: TcpHandle, bytes: Buffer): void => {
      putBack = bytes;
      accept.call(listening, 0, handle);
    };
    listening.onconnection = (status, handle) => {
      if (status !== 0 || !internals!.isTcp(handle)) return accept.call(listening, status, handle);
      new Connection(handle, listener, leave).begin();
    };
  });
}

/** A handle with a reference to its connection. */
type OwnedHandle = TcpHandle & { [owner]?: Connection | undefined };
const owner: unique symbol = Symbol("connection");

class Connection implements HandleConnection {
  destroyed = false;
  readableEnded = false;
  readonly #handle: OwnedHandle;
  readonly #listener: HandleListener;
  readonly #leave: (handle: TcpHandle, bytes: Buffer) => void;
  readonly #onClose: Array<() => void> = [];
  #onEnd: Array<() => void> | undefined;
  #isWaiting = true;
  #isKept = false;
  /** What has arrived during a request. */
  #held: Buffer | undefined;
  #address: string | undefined;

  constructor(handle: TcpHandle, listener: HandleListener, leave: (handle: TcpHandle, bytes: Buffer) => void) {
    this.#handle = handle;
    this.#listener = listener;
    this.#leave = leave;
  }

  begin(): void {
    this.#handle[owner] = this;
    this.#handle.onread = onRead;
    this.#handle.setNoDelay(true);
    this.#listener.onOpen(this);
    if (!this.destroyed && this.#handle.readStart() !== 0) this.destroy();
  }

  read(bytes: Buffer): void {
    if (this.#isWaiting) return this.#offer(bytes);
    if (!this.#isKept) return;
    this.#held = this.#held ? Buffer.concat([this.#held, bytes]) : bytes;
    if (this.#held.length > maxHeld) this.#handle.readStop();
  }

  /** The client has ended its side. Only a write shows whether it still reads. */
  readEnd(): void {
    if (this.#isWaiting) return this.destroy();
    this.readableEnded = true;
    for (const listener of this.#onEnd?.slice() ?? []) listener();
  }

  get isPersistent(): boolean {
    return this.#isKept && (!this.readableEnded || this.#held !== undefined);
  }

  next(): void {
    if (this.destroyed) return;
    this.#isWaiting = true;
    const held = this.#held;
    this.#held = undefined;
    if (!held) {
      if (this.readableEnded) this.destroySoon();
      return;
    }
    if (held.length > maxHeld && this.#handle.readStart() !== 0) return this.destroy();
    this.#offer(held);
  }

  #offer(bytes: Buffer): void {
    this.#isWaiting = false;
    const use = this.#listener.onBytes(this, bytes);
    this.#isKept = use === "keep";
    if (use !== "leave") return;
    this.#handle.readStop();
    this.#handle[owner] = undefined;
    this.#over();
    this.#leave(this.#handle, bytes);
  }

  get tcp(): DirectHandle {
    return this.#handle;
  }

  get writableLength(): number {
    return this.destroyed ? 0 : this.#handle.writeQueueSize;
  }

  get remoteAddress(): string | undefined {
    if (this.destroyed) return undefined;
    const peer: { address?: string } = {};
    if (this.#address === undefined && this.#handle.getpeername(peer) === 0) this.#address = peer.address;
    return this.#address;
  }

  write(bytes: Uint8Array): boolean {
    if (this.destroyed) return false;
    const written = writeDirect(this.#handle, bytes, (broken) => {
      if (broken) this.destroy();
    });
    if (written === "broken") this.destroy();
    return written === "sent";
  }

  destroySoon(): void {
    if (this.destroyed) return;
    const request = new internals!.ShutdownRequest();
    request.oncomplete = () => this.destroy();
    if (this.#handle.shutdown(request) !== 0) this.destroy();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.#handle.close(() => this.#over());
  }

  on(event: string, listener: () => void): void {
    if (event === "close") this.#onClose.push(listener);
    else if (event === "end") (this.#onEnd ??= []).push(listener);
  }

  off(event: string, listener: () => void): void {
    const listeners = event === "close" ? this.#onClose : event === "end" ? this.#onEnd : undefined;
    const index = listeners?.lastIndexOf(listener) ?? -1;
    if (index !== -1) listeners!.splice(index, 1);
  }

  #over(): void {
    this.destroyed = true;
    for (const listener of this.#onClose.slice()) listener();
  }
}

/** libuv's `UV_EOF`: the peer has ended its side. Any other negative number is an error. */
const endOfFile = -4095;

/** One function for all connections: a closure for each would use memory as long as the connection lives. */
function onRead(this: OwnedHandle, bytes: ArrayBuffer | undefined): void {
  const { length, offset } = internals!.lastRead();
  const connection = this[owner];
  if (length > 0 && bytes) connection?.read(Buffer.from(bytes, offset, length));
  else if (length === endOfFile) connection?.readEnd();
  else if (length < 0) connection?.destroy();
}
