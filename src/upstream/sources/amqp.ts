import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import { UpstreamFailure } from "../failure.ts";
import { within } from "../connect.ts";
import type { Attempt, Source, SourceBatch } from "../source.ts";
import type { AmqpOptions, UpstreamEvent, UpstreamOptions } from "../upstream.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import { createMapper, isNew, refuse } from "./mapping.ts";

/** The part of the package `amqplib` that is used. */
export interface AmqpDriver {
  connect(url: string, socketOptions: object): Promise<ChannelModel>;
}

interface Open {
  readonly connection: ChannelModel;
  readonly channel: Channel;
}

/**
 * Creates a source that consumes a queue of an AMQP 0-9-1 broker. Messages are acknowledged once they are durable; the
 * broker sends those again that were not.
 */
export function createAmqpSource(driver: AmqpDriver, options: UpstreamOptions, settings: AmqpOptions): Source {
  const { queue, prefetch } = settings;
  const mapper = createMapper(options.mapping, options.maxEventBytes);

  async function readMessage(
    { content, fields, properties }: ConsumeMessage,
    attempt: Attempt,
  ): Promise<UpstreamEvent | "refused" | "repeated"> {
    const mapped = mapper.ofBytes(content);
    if ("refused" in mapped) {
      refuse(attempt, mapped.refused);
      return "refused";
    }
    const channel = mapped.channel ?? (fields.routingKey || undefined);
    const event = { ...mapped, id: mapped.id ?? textOf(properties.messageId), channel };
    return (await isNew(event, fields.redelivered, attempt)) ? event : "repeated";
  }

  async function* read({ channel }: Open, inbox: Inbox<ConsumeMessage>, attempt: Attempt): AsyncGenerator<SourceBatch> {
    for await (const messages of inbox.take(attempt.signal)) {
      const events: UpstreamEvent[] = [];
      let last: ConsumeMessage | undefined;
      for (const message of messages) {
        const event = await readMessage(message, attempt);
        if (event === "refused") {
          // A dead-letter queue gets it.
          channel.reject(message, false);
          continue;
        }
        last = message;
        if (event !== "repeated") events.push(event);
      }
      const acknowledge = (): void => {
        if (last) channel.ack(last, true);
      };
      yield { events, cursor: undefined, gap: false, acknowledge };
    }
  }

  return {
    async open({ url }, attempt) {
      const { signal } = attempt;
      const inbox = createInbox<ConsumeMessage>();
      const opened = await connect(driver, url, options, queue, inbox, signal);
      const { connection, channel } = opened;
      try {
        await channel.prefetch(prefetch);
        await channel.consume(queue, (message) => {
          if (message) inbox.push(message);
          // The broker has ended the subscription, for example because the queue was deleted.
          else inbox.end(new UpstreamFailure("upstream-ended"));
        });
      } catch (error) {
        close(connection);
        throw error;
      }
      return { resumed: true, batches: read(opened, inbox, attempt), close: () => close(connection) };
    },
    async probe({ url }, signal) {
      close((await connect(driver, url, options, queue, createInbox(), signal)).connection);
      return "available";
    },
  };
}

/** Connects, and checks that the queue exists. The end of the connection ends the inbox. */
async function connect(
  driver: AmqpDriver,
  url: string,
  { timeouts, tls }: UpstreamOptions,
  queue: string,
  inbox: Inbox<ConsumeMessage>,
  signal: AbortSignal,
): Promise<Open> {
  const socketOptions = { ...tls, timeout: timeouts.connect };
  const late = (): Error => new UpstreamFailure("upstream-timeout");
  const connecting = driver.connect(withHeartbeat(url, timeouts.idle), socketOptions);
  let connection: ChannelModel | undefined;
  try {
    connection = await within(connecting, timeouts.headers, signal, late);
    const fail = (error?: Error): void => inbox.end(error ?? new UpstreamFailure("upstream-ended"));
    connection.on("error", fail).on("close", fail);
    const channel = await within(connection.createChannel(), timeouts.headers, signal, late);
    channel.on("error", fail).on("close", () => fail());
    // It rejects if there is no such queue.
    await within(channel.checkQueue(queue), timeouts.headers, signal, late);
    return { connection, channel };
  } catch (error) {
    if (connection) close(connection);
    else connecting.then(close, () => {});
    throw isRefusal(error) ? new UpstreamFailure("upstream-status", { status: error.code, slow: true }) : error;
  }
}

/** A message id is a line of at most 2 KiB; anything else does not identify an event. */
function textOf(value: unknown): string | undefined {
  return typeof value === "string" && /^[^\0\r\n]{1,512}$/.test(value) ? value : undefined;
}

/** Without heartbeats a dead connection would not be noticed, because an empty queue is silent. */
function withHeartbeat(url: string, idle: number): string {
  const result = new URL(url);
  if (!result.searchParams.has("heartbeat"))
    result.searchParams.set("heartbeat", String(Math.max(1, Math.floor(idle / 2_000))));
  return result.href;
}

/** Errors of the broker have a numeric code: 403 for wrong credentials, 404 if there is no such queue. */
function isRefusal(error: unknown): error is Error & { readonly code: number } {
  return error instanceof Error && "code" in error && typeof error.code === "number";
}

/** Closes a connection without waiting for the broker. Messages that are not acknowledged are sent again. */
function close(connection: ChannelModel): void {
  connection.close().catch(() => {});
}
