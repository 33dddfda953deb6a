import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** A client connection with raw bytes. */
export interface RawClient {
  readonly socket: Socket;
  /** The received data, one character per byte. */
  text(): string;
  /** Whether the server has ended its side, or the connection is closed. */
  ended(): boolean;
  /** Resolves to all received data once the server has ended its side. */
  all(): Promise<string>;
  /** Resets the connection, like a client that was killed with unread data. */
  reset(): void;
}

export interface RawClientOptions {
  /** The certificate of a server with TLS. */
  readonly ca?: string | undefined;
}

/** Opens a connection that stays half open when either side ends its own. */
export function openRaw(port: number, { ca }: RawClientOptions = {}): RawClient {
  const address = { port, host: "127.0.0.1", allowHalfOpen: true };
  const tcp = connectTcp({ ...address, noDelay: true });
  const socket = ca === undefined ? tcp : connectTls({ socket: tcp, ca, ALPNProtocols: ["http/1.1"] });
  let text = "";
  let ended = false;
  const over = new Promise<void>((resolve) => {
    const end = (): void => {
      ended = true;
      resolve();
    };
    socket.on("end", end).on("close", end);
  });
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1"))).on("error", () => {});
  return {
    socket,
    text: () => text,
    ended: () => ended,
    all: () => over.then(() => text),
    reset: () => tcp.resetAndDestroy(),
  };
}

/** A response received on a connection. */
export interface RawAnswer {
  readonly head: string;
  readonly status: number;
  /** The media type. */
  readonly type: string | undefined;
  /** The code of a problem. */
  readonly code: string | undefined;
  /** Whether it announces the end of the connection. */
  readonly closes: boolean;
}

/** The final responses in the received data, without 1xx. */
export function answersIn(text: string): RawAnswer[] {
  return text
    .split(/(?=HTTP\/1\.1 \d{3} )/)
    .filter((part) => part !== "" && !part.startsWith("HTTP/1.1 1"))
    .map((part) => {
      const [head = "", body = ""] = part.split("\r\n\r\n");
      return {
        head,
        status: Number(head.slice(9, 12)),
        type: /^content-type: (.*)$/im.exec(head)?.[1],
        code: /"code":"([a-z-]+)"/.exec(body)?.[1],
        closes: /^connection: close\r?$/im.test(head),
      };
    });
}
