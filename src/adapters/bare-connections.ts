import type { Server } from "node:net";
import { internals, type TcpHandle } from "./node-internals.ts";
import { writeDirect, type DirectHandle } from "./direct-writer.ts";

/** A TCP connection without a `net.Socket`, under the names that a socket has for the same. */
export interface BareConnection {
  readonly destroyed: boolean;
  /** What may be written to instead of {@link BareConnection.write}. */
  readonly tcp: DirectHandle;
  /** What is queued below is not counted, as it is not for a socket that is written past. */
  readonly writableLength: number;
  readonly remoteAddress: string | undefined;
  /** Returns false if the connection has no room. */
  write(bytes: Uint8Array): boolean;
  /** Ends it once all has left. */
  destroySoon(): void;
  destroy(): void;
  /** Tells of its end, once, in a later turn of the event loop. */
  on(event: "close" | "drain", listener: () => void): unknown;
}

/** Who is told of the connections of a server. */
export interface BareListener {
  /** One has come; it has said nothing yet. */
  onOpen(connection: BareConnection): void;
  /**
   * Its first bytes. Where this returns false, the connection is over, and another begins for the server's own listeners, with these
   * bytes. Where it returns true, whatever follows is dropped.
   */
  onFirstBytes(connection: BareConnection, bytes: Buffer): boolean;
}

/** The handle of a server that listens. */
interface Door {
  onconnection(this: Door, status: number, handle: unknown): void;
}

/**
 * Takes the connections of a server that listens on TCP before sockets are made of them, which need more time and memory than all
 * the rest of a subscriber. Where Node lacks what this takes, nothing happens, and all go to the server's own listeners.
 */
export function acceptBare(server: Server, listener: BareListener): void {
  let putBack: Buffer | undefined;
  server.prependListener("connection", (socket) => {
    if (putBack) socket.unshift(putBack);
    putBack = undefined;
  });
  server.on("listening", () => {
    const { _handle: door } = server as unknown as { readonly _handle: Door };
    const { onconnection: accept } = door;
    if (!internals || typeof accept !== "function") return;
    const leave = (handle: TcpHandle, bytes: Buffer): void => {
      putBack = bytes;
      accept.call(door, 0, handle);
    };
    door.onconnection = (status, handle) => {
      if (status !== 0 || !internals!.isTcp(handle)) return accept.call(door, status, handle);
      new Connection(handle, listener, leave).begin();
    };
  });
}

/** A handle, and the connection that it belongs to. */
type OwnedHandle = TcpHandle & { [owner]?: Connection | undefined };
const owner: unique symbol = Symbol("connection");

class Connection implements BareConnection {
  destroyed = false;
  readonly writableLength = 0;
  readonly #handle: OwnedHandle;
  readonly #listener: BareListener;
  readonly #leave: (handle: TcpHandle, bytes: Buffer) => void;
  readonly #onClose: Array<() => void> = [];
  #begun = false;

  constructor(handle: TcpHandle, listener: BareListener, leave: (handle: TcpHandle, bytes: Buffer) => void) {
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

  /** `undefined` is the end of what the client says, or of the connection. */
  read(bytes: Buffer | undefined): void {
    if (!bytes) return this.destroy();
    if (this.#begun) return;
    this.#begun = true;
    if (this.#listener.onFirstBytes(this, bytes)) return;
    this.#handle.readStop();
    this.#handle[owner] = undefined;
    this.#over();
    this.#leave(this.#handle, bytes);
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
  }

  #over(): void {
    this.destroyed = true;
    for (const listener of this.#onClose) listener();
  }
}

/** One function for all connections: a closure for each would stay as long as it does. */
function onRead(this: OwnedHandle, bytes: ArrayBuffer | undefined): void {
  const { length, offset } = internals!.lastRead();
  if (length === 0) return;
  this[owner]?.read(length > 0 && bytes ? Buffer.from(bytes, offset, length) : undefined);
}
