import type { Server } from "node:net";
import { internals, type TcpHandle } from "./node-internals.ts";
import { writeDirect, type DirectHandle } from "./direct-writer.ts";

/** A TCP connection without a `net.Socket`, under the names that a socket has for the same. */
export interface HandleConnection {
  readonly destroyed: boolean;
  /** Whether the client has ended its side. It may still read. */
  readonly readableEnded: boolean;
  /** What may be written to instead of {@link HandleConnection.write}. */
  readonly tcp: DirectHandle;
  /** What is queued below is not counted, as it is not for a socket that is written past. */
  readonly writableLength: number;
  readonly remoteAddress: string | undefined;
  /** Returns false if the connection has no room. */
  write(bytes: Uint8Array): boolean;
  /** Ends it once all has left. */
  destroySoon(): void;
  destroy(): void;
  /** `end`: the client has ended its side. `close`: it is over; emitted once, in a later turn of the event loop. */
  on(event: "close" | "drain" | "end", listener: () => void): unknown;
}

/** Who is told of the connections of a server. */
export interface HandleListener {
  /** One has come; it has said nothing yet. */
  onOpen(connection: HandleConnection): void;
  /**
   * Its first bytes. Where this returns false, the connection is over, and another begins for the server's own listeners, with these
   * bytes. Where it returns true, whatever follows is dropped.
   */
  onFirstBytes(connection: HandleConnection, bytes: Buffer): boolean;
}

/** The handle of a server that listens. */
interface ListenHandle {
  onconnection(this: ListenHandle, status: number, handle: unknown): void;
}

/**
 * Takes the connections of a server that listens on TCP before sockets are made of them, which need more time and memory than all
 * the rest of a subscriber. Where Node lacks what this takes, nothing happens, and all go to the server's own listeners.
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

/** A handle, and the connection that it belongs to. */
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

  /** The client says no more. Whether it still reads shows once it is written to. */
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

/** libuv's `UV_EOF`: the other side has ended. Any other negative number is an error. */
const endOfFile = -4095;

/** One function for all connections: a closure for each would stay as long as it does. */
function onRead(this: OwnedHandle, bytes: ArrayBuffer | undefined): void {
  const { length, offset } = internals!.lastRead();
  const connection = this[owner];
  if (length > 0 && bytes) connection?.read(Buffer.from(bytes, offset, length));
  else if (length === endOfFile) connection?.readEnd();
  else if (length < 0) connection?.destroy();
}
