import { UpstreamFailure } from "../failure.ts";
import { within } from "../connect.ts";
import type { Attempt, Source, SourceBatch } from "../source.ts";
import type { RedisOptions, UpstreamEvent, UpstreamOptions } from "../upstream.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import { createMapper, refuse } from "./mapping.ts";

type Listener = (message: Buffer, channel: Buffer) => void;

/** The part of a client of `@redis/client` that is used. */
interface RedisClient {
  connect(): Promise<unknown>;
  subscribe(channels: readonly string[], listener: Listener, bufferMode: true): Promise<void>;
  pSubscribe(patterns: readonly string[], listener: Listener, bufferMode: true): Promise<void>;
  on(event: "error" | "end", listener: (error?: Error) => void): unknown;
  destroy(): void;
}

/** The part of the package `@redis/client` that is used. */
export interface RedisPubSubDriver {
  createClient(options: object): RedisClient;
}

interface Message {
  readonly bytes: Buffer;
  /** What the pattern's asterisks stand for. */
  readonly channel: string | undefined;
}

/** Memory that a waiting message takes in addition to its bytes. */
const messageOverhead = 128;

/** Creates a source that subscribes to Redis Pub/Sub. Redis keeps no messages, so each new connection means a gap. */
export function createRedisSource(
  driver: RedisPubSubDriver,
  options: UpstreamOptions,
  { subscribe, psubscribe, backlog }: RedisOptions,
): Source {
  const mapper = createMapper(options.mapping, options.maxEventBytes);

  function toEvents(messages: readonly Message[], attempt: Attempt): UpstreamEvent[] {
    return messages.flatMap(({ bytes, channel }) => {
      const mapped = mapper.ofBytes(bytes);
      if ("refused" in mapped) {
        refuse(attempt, mapped.refused);
        return [];
      }
      attempt.count("received");
      return [{ ...mapped, channel: mapped.channel ?? channel }];
    });
  }

  return {
    async open({ url }, attempt) {
      const { signal } = attempt;
      const inbox = createInbox<Message>();
      const { receive, empty } = createReceiver(inbox, backlog, attempt);
      const client = await connect(driver, url, options, inbox, signal);
      try {
        const subscribed = Promise.all([
          subscribe.length > 0 && client.subscribe(subscribe, (bytes) => receive({ bytes, channel: undefined }), true),
          ...psubscribe.map((pattern) => {
            const channelOf = createWildcard(pattern);
            return client.pSubscribe(
              [pattern],
              (bytes, name) => receive({ bytes, channel: channelOf(name.toString()) }),
              true,
            );
          }),
        ]);
        await within(subscribed, options.timeouts.headers, signal, () => new UpstreamFailure("upstream-timeout"));
      } catch (error) {
        destroy(client);
        throw error;
      }
      async function* read(): AsyncGenerator<SourceBatch> {
        for await (const messages of inbox.take(signal)) {
          const lost = empty();
          yield { events: toEvents(messages, attempt), cursor: undefined, gap: false };
          if (lost) yield { events: [], cursor: undefined, gap: true };
        }
      }
      return { resumed: false, batches: read(), close: () => destroy(client) };
    },
    async probe({ url }, signal) {
      destroy(await connect(driver, url, options, createInbox(), signal));
      return "available";
    },
  };
}

/** Connects. The end of the connection ends the inbox. */
async function connect(
  driver: RedisPubSubDriver,
  url: string,
  { timeouts, tls }: UpstreamOptions,
  inbox: Inbox<Message>,
  signal: AbortSignal,
): Promise<RedisClient> {
  const client = driver.createClient({
    url,
    RESP: 2,
    // Redis sends nothing on its own, so a dead connection is only noticed by a ping.
    pingInterval: Math.ceil(timeouts.idle / 3),
    socket: { ...tls, connectTimeout: timeouts.connect, socketTimeout: timeouts.idle, reconnectStrategy: false },
  });
  client.on("error", (error) => inbox.end(error));
  client.on("end", () => inbox.end(new UpstreamFailure("upstream-ended")));
  try {
    await within(client.connect(), timeouts.headers, signal, () => new UpstreamFailure("upstream-timeout"));
    return client;
  } catch (error) {
    destroy(client);
    throw error;
  }
}

/** Puts messages into the inbox up to `backlog`. From the first one beyond it, all are lost until it is emptied. */
function createReceiver(
  inbox: Inbox<Message>,
  backlog: number,
  { count }: Attempt,
): { receive(message: Message): void; empty(): boolean } {
  let held = 0;
  let lost = false;
  return {
    receive(message) {
      const size = message.bytes.length + messageOverhead;
      lost ||= held + size > backlog;
      if (!lost) {
        held += size;
        return inbox.push(message);
      }
      count("received");
      count("refused", "messages arrive faster than they can be stored: the backlog is full, and some are lost");
    },
    empty() {
      const before = lost;
      held = 0;
      lost = false;
      return before;
    },
  };
}

/** Closes a client, which throws if its connection is already closed. */
function destroy(client: RedisClient): void {
  try {
    client.destroy();
  } catch {
    // It is closed.
  }
}

/** Reads the part of a channel's name that matches the only `*` of a pattern; `undefined` for other patterns. */
export function createWildcard(pattern: string): (name: string) => string | undefined {
  const [before, ...others] = pattern.split("*");
  const after = others.length === 1 ? others[0]! : "";
  if (others.length === 0 || /[?[\\]/.test(pattern)) return () => undefined;
  return (name) => name.slice(before!.length, name.length - after.length) || undefined;
}
