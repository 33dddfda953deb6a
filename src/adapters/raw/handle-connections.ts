import type { Server } from "node:net";
import { internals, writeDirect, type DirectHandle, type TcpHandle } from "./tcp-handle.ts";

/** A TCP connection without a `net.Socket`, with the member names of a socket. */
export interface HandleConnection {
  readonly destroyed: boolean;
  /** Whether the client has ended its side. It may still read. */
  readonly readableEnded: boolean;
  /** A handle for direct writes, instead of {@link HandleConnection.write}. */
  readonly tcp: DirectHandle;
  /** Always 0: bytes queued in the handle are not counted, as with direct writes to a socket. */
  readonly writableLength: number;
  readonly remoteAddress: string | undefined;
  /** Returns false if the bytes were queued or the connection is closed. */
  write(bytes: Uint8Array): boolean;
  /** Closes the connection once all bytes have been sent. */
  destroySoon(): void;
  destroy(): void;
  /**
   * `end`: the client has ended its side. `close`: the connection is closed; emitted once, in a later event loop turn.
   */
  on(event: "close" | "drain" | "end", listener: () => void): unknown;
}

/** Receives the connections of a server. */
export interface HandleListener {
  /** A connection was accepted; it has sent nothing yet. */
  onOpen(connection: HandleConnection): void;
  /**
   * The first bytes of a connection. False hands it over, with these bytes, to the server's own listeners as a new
   * connection; this one counts as closed. True keeps it; all further input is dropped.
   */
  onFirstBytes(connection: HandleConnection, bytes: Buffer): boolean;
}

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
  readonly writableLength = 0;
  readonly #handle: OwnedHandle;
  readonly #listener: HandleListener;
  readonly #leave: (handle: TcpHandle, bytes: Buffer) => void;
  readonly #onClose: Array<() => void> = [];
  #onEnd: Array<() => void> | undefined;
  #begun = false;

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
    if (this.#begun) return;
    this.#begun = true;
    if (this.#listener.onFirstBytes(this, bytes)) return;
    this.#handle.readStop();
    this.#handle[owner] = undefined;
    this.#over();
    this.#leave(this.#handle, bytes);
  }

  /** The client has ended its side. Only a write shows whether it still reads. */
  readEnd(): void {
    if (!this.#begun) return this.destroy();
    this.readableEnded = true;
    for (const listener of this.#onEnd ?? []) listener();
  }

  get tcp(): DirectHandle {
    return this.#handle;
  }

  get remoteAddress(): string | undefined {
    const peer: { address?: string } = {};
    return !this.destroyed && this.#handle.getpeername(peer) === 0 ? peer.address : undefined;
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

  #over(): void {
    this.destroyed = true;
    for (const listener of this.#onClose) listener();
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

/** Closes connections that send nothing. */
export interface SilenceWatch {
  /** Adds a connection that was just accepted. */
  add(connection: HandleConnection): void;
  /** Removes a connection that has sent something. */
  remove(connection: HandleConnection): void;
}

/** Bounds of the interval between two checks, in ms. */
const pauses = { min: 50, max: 1000 };

/**
 * Watches all connections with a single timer instead of creating and clearing one per connection. `limit` returns how
 * long a connection may be silent, in ms; closing it may take a quarter of that longer, at most a second.
 */
export function createSilenceWatch(limit: () => number): SilenceWatch {
  /** When each silent connection was added. */
  const silent = new Map<HandleConnection, number>();
  let timer: NodeJS.Timeout | undefined;

  function schedule(): void {
    const pause = Math.min(Math.max(limit() / 4, pauses.min), pauses.max);
    timer ??= setTimeout(look, pause).unref();
  }

  function look(): void {
    timer = undefined;
    const last = performance.now() - limit();
    for (const [connection, since] of silent) {
      if (since <= last) connection.destroy();
      // Also drops connections that closed by themselves.
      if (connection.destroyed) silent.delete(connection);
    }
    if (silent.size > 0) schedule();
  }

  return {
    add(connection) {
      silent.set(connection, performance.now());
      if (!timer) schedule();
    },
    remove: (connection) => void silent.delete(connection),
  };
}
