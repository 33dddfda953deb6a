import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { portOf } from "./ports.ts";
import { readStrictly, type StrictRequest } from "./strict-requests.ts";

/** A connection to an origin. */
export interface OriginConnection {
  readonly socket: Socket;
  /** What came in, a character for each byte. */
  text(): string;
  isOpen(): boolean;
}

/** A server that writes the bytes of its answers itself, and knows exactly what came in. */
export interface RawOrigin {
  readonly port: number;
  /** Without a slash at its end. */
  readonly url: string;
  /** All there were, in order. */
  readonly connections: readonly OriginConnection[];
  /** Connections open now. */
  open(): number;
  /** All requests, in the order of their connections, as a strict server reads them. */
  requests(): StrictRequest[];
  /** Why what came in are not requests: one for each connection that is malformed. */
  errors(): string[];
  close(): Promise<void>;
}

/** What an origin does with a request. */
export type Answer = (request: StrictRequest, connection: OriginConnection) => void;

export interface RawOriginOptions {
  /** Called once the head of a request has come. */
  readonly onHead?: Answer;
  /** Called once a request is complete. */
  readonly onRequest?: Answer;
}

/** Starts an origin on a free port of 127.0.0.1. It ends connections that carry anything but well-formed requests. */
export async function startRawOrigin({ onHead, onRequest }: RawOriginOptions): Promise<RawOrigin> {
  const connections: OriginConnection[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    let text = "";
    let heads = 0;
    let answered = 0;
    const connection: OriginConnection = { socket, text: () => text, isOpen: () => sockets.has(socket) };
    sockets.add(socket);
    connections.push(connection);
    socket.on("data", (piece: Buffer) => {
      text += piece.toString("latin1");
      const { requests, error } = readStrictly(text);
      for (const request of requests.slice(heads)) onHead?.(request, connection);
      heads = requests.length;
      for (const request of requests.slice(answered)) {
        if (!request.isComplete) break;
        answered++;
        onRequest?.(request, connection);
      }
      if (error !== undefined) socket.destroy();
    });
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    socket.on("end", () => socket.end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  const readings = (): Array<ReturnType<typeof readStrictly>> => connections.map(({ text }) => readStrictly(text()));
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    connections,
    open: () => sockets.size,
    requests: () => readings().flatMap(({ requests }) => requests),
    errors: () => readings().flatMap(({ error }) => error ?? []),
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Answers each request with these bytes. */
export function answering(bytes: string): RawOriginOptions {
  return { onRequest: (_, { socket }) => void socket.write(bytes, "latin1") };
}

/** A complete answer with a length. */
export function whole(body: string, ...fields: readonly string[]): string {
  return ["HTTP/1.1 200 OK", ...fields, `Content-Length: ${body.length}`, "", body].join("\r\n");
}

/** A piece of a chunked body. */
export function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}
