import type { Server } from "node:http";
import type { Socket } from "node:net";

/** The connections of a server, and how many answers are under way on each. */
export interface Connections {
  /** One more answer is under way; returns the way to say that it is over. */
  begin(socket: Socket): () => void;
  /** Whether an answer is under way. */
  isBusy(socket: Socket): boolean;
  /** Closes the connections that carry nothing. */
  destroyIdle(): void;
  destroyAll(): void;
}

/**
 * Keeps count for a server. Node's own `closeIdleConnections` takes an answer for over as soon as it was written, and cuts it off
 * on its way to a slow reader; this one waits until the bytes have left.
 */
export function trackConnections(server: Server): Connections {
  const answers = new Map<Socket, number>();
  const change = (socket: Socket, by: number): void => {
    const count = answers.get(socket);
    if (count !== undefined) answers.set(socket, count + by);
  };
  const begin = (socket: Socket): (() => void) => {
    change(socket, 1);
    return () => change(socket, -1);
  };
  server.on("connection", (socket: Socket) => {
    answers.set(socket, 0);
    socket.on("close", () => answers.delete(socket));
  });
  server.on("request", ({ socket }, response) => response.on("close", begin(socket)));
  return {
    begin,
    isBusy: (socket) => (answers.get(socket) ?? 0) > 0,
    destroyIdle() {
      for (const [socket, count] of answers) if (count === 0 && socket.writableLength === 0) socket.destroy();
    },
    destroyAll: () => answers.forEach((_, socket) => socket.destroy()),
  };
}
