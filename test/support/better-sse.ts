import { once } from "node:events";
import { createServer } from "node:http";
import { createChannel, createSession, type Session } from "better-sse";
import { portOf } from "./ports.ts";

/** A server with the better-sse library: an event source that supports resuming from its buffer. */
export interface BetterSse {
  readonly url: string;
  /** Sends an event to all connected clients and buffers it. Ids are numbers from 1. */
  publish(event: string, data: unknown): void;
  /** Subscribers connected now. */
  connections(): number;
  /** The `Last-Event-ID` of each request, in order; empty if it had none. */
  readonly resumed: readonly string[];
  /** Ends every connection; the server continues to run. */
  disconnect(): void;
  close(): Promise<void>;
}

interface Remembered {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

/** Starts it on a free port of 127.0.0.1; it buffers its last `bufferLength` events. */
export async function startBetterSse(bufferLength = 10_000): Promise<BetterSse> {
  const channel = createChannel();
  const history: Remembered[] = [];
  const resumed: string[] = [];
  let published = 0;

  async function subscribe(session: Session): Promise<void> {
    resumed.push(session.lastId);
    const known = history.findIndex(({ id }) => id === session.lastId);
    const missed = session.lastId === "" ? [] : history.slice(known + 1);
    // Both before any await, so that no event is lost between the replay and live events.
    const replay = session.batch((buffer) => missed.forEach(({ data, event, id }) => buffer.push(data, event, id)));
    channel.register(session);
    await replay;
  }

  const server = createServer((request, response) => {
    createSession(request, response, { retry: 100 })
      .then(subscribe)
      .catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    url: `http://127.0.0.1:${portOf(server)}/`,
    resumed,
    connections: () => channel.sessionCount,
    publish(event, data) {
      const id = String(++published);
      history.push({ id, event, data });
      if (history.length > bufferLength) history.shift();
      channel.broadcast(data, event, { eventId: id });
    },
    disconnect: () => server.closeAllConnections(),
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
