import type { OnReadOpts, Socket } from "node:net";
import type { Dispatcher } from "undici";
import type { Connect } from "./connect.ts";
import { Http1Error } from "./error.ts";
import { writeRequestHead, type Http1Request } from "./request-head.ts";
import { ResponseReader, type ResponseHead, type ResponseListener } from "./response-reader.ts";

/** What a connection tells its client. */
export interface ConnectionOwner {
  /** The value of `Host`. */
  readonly host: string;
  /** The connection can carry another request. `idle`: how long the server keeps it at least, in ms, if it says so. */
  onIdle(connection: Connection, idle: number | undefined): void;
  /** The connection is closed. */
  onClose(connection: Connection): void;
}

/**
 * One buffer for the reads of all connections, whose bytes are handled before the next read. Node would allocate one
 * for each.
 */
const buffer = Buffer.allocUnsafeSlow(64 * 1024);

/** The error of a request whose connection has ended. */
const closed = (): Http1Error => new Http1Error("CONNECTION_CLOSED", "the server has closed the connection");

/**
 * A connection to a server, which carries one request at a time. It is also the controller of that request's handler.
 * A class, because the handler of a stream refers to it for days.
 */
export class Connection implements Dispatcher.DispatchController, ResponseListener {
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #reader = new ResponseReader(this);
  /** Whether the socket emits its bytes: only then another protocol can take it over. */
  readonly #emits: boolean;
  /** Until when it may be used for another request; set by its owner, in ms of `performance.now()`. */
  idleUntil = 0;
  #isReady = false;
  #handler: Dispatcher.DispatchHandler | undefined;
  #request: Http1Request | undefined;
  #head: ResponseHead | undefined;
  /** Whether the request has been sent completely. */
  #isSent = false;
  #isPaused = false;
  #isResuming = false;
  /** What has come while the handler was paused. */
  #held: Buffer | undefined;
  #reason: Error | null = null;
  #onWritable: (() => void) | undefined;

  /** @param canChange whether the protocol of the connection may change (RFC 9110 §7.8) */
  constructor(connect: Connect, owner: ConnectionOwner, canChange: boolean) {
    this.#owner = owner;
    this.#emits = canChange;
    const socket = connect(() => this.#onReady(), canChange ? undefined : this.#onread());
    this.#socket = socket;
    if (canChange) socket.on("data", this.#onData);
    socket.on("end", this.#onEnd).on("error", this.#onError).on("close", this.#onClosed).on("drain", this.#onDrain);
  }

  get aborted(): boolean {
    return this.#reason !== null;
  }

  get paused(): boolean {
    return this.#isPaused;
  }

  get reason(): Error | null {
    return this.#reason;
  }

  get rawHeaders(): string[] {
    return (this.#head?.fields ?? []) as string[];
  }

  get rawTrailers(): string[] {
    return this.#reader.trailers as string[];
  }

  get isClosed(): boolean {
    return this.#socket.destroyed;
  }

  /** Sends a request, now or once there is a connection. There must be no other on the connection. */
  send(request: Http1Request, handler: Dispatcher.DispatchHandler): void {
    this.#request = request;
    this.#handler = handler;
    this.#reason = null;
    if (this.#isReady) this.#begin();
  }

  abort(reason: Error): void {
    this.#fail(reason);
  }

  pause(): void {
    this.#isPaused = true;
    if (this.#emits) this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    const held = this.#held;
    this.#held = undefined;
    this.#isResuming = true;
    if (held) this.#take(held);
    this.#isResuming = false;
    if (!this.#isPaused) this.#socket.resume();
  }

  /** Closes the connection. A request on it fails with the error. */
  destroy(reason: Error = closed()): void {
    this.#fail(reason);
    this.#socket.destroy();
  }

  onHead(head: ResponseHead): void {
    const { status, fields } = head;
    const handler = this.#handler!;
    this.#head = head;
    if (status === 101) return this.#changeProtocol();
    // Nothing here waits for it.
    if (status === 100) throw new Http1Error("INVALID_RESPONSE", "100 Continue was not expected");
    handler.onResponseStart?.(this, status, fields as never);
  }

  onBody(bytes: Buffer): void {
    this.#handler!.onResponseData?.(this, bytes);
  }

  #onReady(): void {
    this.#isReady = true;
    if (this.#handler) this.#begin();
  }

  #begin(): void {
    const request = this.#request!;
    const handler = this.#handler!;
    this.#head = undefined;
    this.#isSent = false;
    this.#reader.begin(request.method);
    handler.onRequestStart?.(this, undefined);
    if (this.#handler !== handler) return;
    try {
      this.#socket.write(writeRequestHead(request, this.#owner.host), "latin1");
    } catch (error) {
      return this.#fail(error as Error);
    }
    if (request.body) void this.#upload(request).catch((error: unknown) => this.#fail(error as Error, handler));
    else this.#isSent = true;
  }

  /** Sends the body as it arrives, no faster than the server takes it. */
  async #upload({ headers, body }: Http1Request): Promise<void> {
    const handler = this.#handler;
    const at = headers.indexOf("content-length");
    let left = at === -1 ? undefined : Number(headers[at + 1]);
    for await (const chunk of body!) {
      if (this.#handler !== handler) return;
      if (chunk.length === 0) continue;
      if (left !== undefined && (left -= chunk.length) < 0) throw mismatch();
      if (left === 0) this.#isSent = true;
      if (!this.#writeBody(chunk, left === undefined))
        await new Promise<void>((resolve) => (this.#onWritable = resolve));
    }
    if (this.#handler !== handler) return;
    if (left !== undefined && left > 0) throw mismatch();
    if (left === undefined) this.#socket.write("0\r\n\r\n", "latin1");
    this.#isSent = true;
  }

  /** Returns false if the server does not keep up. */
  #writeBody(bytes: Uint8Array, isChunked: boolean): boolean {
    const socket = this.#socket;
    if (!isChunked) return socket.write(bytes);
    socket.cork();
    socket.write(`${bytes.length.toString(16)}\r\n`, "latin1");
    socket.write(bytes);
    const isWritable = socket.write("\r\n", "latin1");
    socket.uncork();
    return isWritable;
  }

  #take(bytes: Buffer): void {
    let at = 0;
    try {
      while (this.#handler) {
        if (this.#isPaused) return this.#hold(bytes, at);
        if (this.#reader.isDone) return this.#complete(at < bytes.length);
        if (at === bytes.length) return;
        at = this.#reader.read(bytes, at);
      }
      // The first bytes of the other protocol.
      if (this.#head?.status === 101 && at < bytes.length) this.#socket.unshift(bytes.subarray(at));
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** The end is held back, too. */
  #hold(bytes: Buffer, at: number): void {
    if (at < bytes.length || this.#reader.isDone) this.#held = Buffer.from(bytes.subarray(at));
  }

  /** @param hasMore whether bytes follow that no request has asked for */
  #complete(hasMore: boolean): void {
    const handler = this.#handler!;
    const { persists, fields } = this.#head!;
    const isUsable = persists && !this.#reader.endsWithConnection && !hasMore && this.#isSent && !this.#request!.reset;
    this.#handler = this.#request = undefined;
    if (!isUsable) this.#socket.destroy();
    handler.onResponseEnd?.(this, this.rawTrailers as never);
    if (isUsable) this.#owner.onIdle(this, keepAlive(fields));
  }

  /** The server speaks the other protocol now, or what follows the head is no response. */
  #changeProtocol(): void {
    const handler = this.#handler!;
    if (!this.#request!.upgrade) throw new Http1Error("INVALID_RESPONSE", "the protocol was not to be changed");
    this.#handler = this.#request = undefined;
    this.#socket.off("data", this.#onData).off("end", this.#onEnd).off("error", this.#onError).pause();
    handler.onRequestUpgrade?.(this, 101, this.#head!.fields as never, this.#socket);
  }

  #fail(reason: Error, of: Dispatcher.DispatchHandler | undefined = this.#handler): void {
    if (of === undefined || of !== this.#handler) return;
    this.#handler = this.#request = this.#held = undefined;
    this.#reason = reason;
    this.#socket.destroy();
    // Whoever resumes may not be ready for the end: its own response may just begin.
    if (this.#isResuming) process.nextTick(() => of.onResponseError?.(this, reason));
    else of.onResponseError?.(this, reason);
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#handler) this.#take(bytes);
    // No request has asked for them.
    else this.#socket.destroy();
  };

  readonly #onEnd = (): void => {
    if (this.#handler && this.#reader.endsWithConnection) this.#complete(false);
    else this.#fail(closed());
  };

  readonly #onError = (error: Error): void => this.#fail(error);

  readonly #onDrain = (): void => {
    this.#onWritable?.();
    this.#onWritable = undefined;
  };

  readonly #onClosed = (): void => {
    this.#fail(closed());
    this.#onDrain();
    this.#owner.onClose(this);
  };

  #onread(): OnReadOpts {
    return {
      buffer,
      callback: (length) => {
        this.#onData(buffer.subarray(0, length));
        return !this.#isPaused;
      },
    };
  }
}

function mismatch(): Http1Error {
  return new Http1Error("INVALID_REQUEST", "the body does not have the announced length");
}

/** The time of a `Keep-Alive` field, in ms. */
function keepAlive(fields: readonly string[]): number | undefined {
  for (let i = 0; i < fields.length; i += 2) {
    if (!/^keep-alive$/i.test(fields[i]!)) continue;
    const seconds = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(fields[i + 1]!)?.[1];
    return seconds === undefined ? undefined : Number(seconds) * 1000;
  }
  return undefined;
}
