import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { portOf } from "./ports.ts";

/** A TCP relay in front of a server, to simulate network failures. */
export interface TcpProxy {
  readonly port: number;
  /** Total number of accepted connections. */
  accepted(): number;
  /** Connections open now. */
  open(): number;
  /** Whether the server has sent this text to any client. */
  hasPassed(text: string | RegExp): boolean;
  /** Ends every connection after the data that was already forwarded. New ones are served. */
  cut(): void;
  /** Resets every connection; data in transit is lost. New ones are served. */
  reset(): void;
  /** Resets new connections at once, until called with `false`. */
  refuse(on: boolean): void;
  /** Forwards nothing in either direction until called with `false`; connections stay open. */
  stall(on: boolean): void;
  /** Resets a connection when its server sends anything, until called with `false`: requests are executed, and answers are lost. */
  loseAnswers(on: boolean): void;
  /** Delays each piece of data by this many ms. */
  delay(ms: number): void;
  close(): Promise<void>;
}

/** Relays a free port of 127.0.0.1 to the port `target`. */
export async function startTcpProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  let delay = 0;
  let refusing = false;
  let stalled = false;
  let losing = false;
  let passed = "";

  function relay(from: Socket, to: Socket, fromServer: boolean): void {
    sockets.add(from.setNoDelay());
    const pass = (piece: Buffer): void => {
      to.write(piece);
      if (fromServer) passed += piece.toString("latin1");
      if (!stalled) from.resume();
    };
    from.on("data", (piece: Buffer) => {
      if (losing && fromServer) return void to.resetAndDestroy();
      if (delay === 0) return pass(piece);
      from.pause();
      setTimeout(pass, delay, piece);
    });
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
    if (stalled) from.pause();
  }

  const server = createServer((client) => {
    if (refusing) {
      client.resetAndDestroy();
      return;
    }
    accepted++;
    const upstream = connect(target, "127.0.0.1");
    relay(client, upstream, false);
    relay(upstream, client, true);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const reset = (): void => sockets.forEach((socket) => socket.resetAndDestroy());
  return {
    port: portOf(server),
    accepted: () => accepted,
    open: () => Math.ceil(sockets.size / 2),
    hasPassed: (text) => (typeof text === "string" ? passed.includes(text) : text.test(passed)),
    cut: () => sockets.forEach((socket) => socket.destroySoon()),
    reset,
    refuse: (on) => void (refusing = on),
    stall(on) {
      stalled = on;
      sockets.forEach((socket) => (on ? socket.pause() : socket.resume()));
    },
    loseAnswers: (on) => void (losing = on),
    delay: (ms) => void (delay = ms),
    async close() {
      const closed = once(server, "close");
      server.close();
      reset();
      await closed;
    },
  };
}
