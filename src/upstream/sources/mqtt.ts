import type { IClientOptions, IPublishPacket, MqttClient } from "mqtt";
import { UpstreamFailure } from "../failure.ts";
import { within } from "../connect.ts";
import type { Attempt, Source, SourceBatch } from "../source.ts";
import type { MqttOptions, UpstreamEvent, UpstreamOptions } from "../upstream.ts";
import { createInbox } from "./inbox.ts";
import { createMapper, isNew, refuse } from "./mapping.ts";

/** The part of the package `mqtt` that is used. */
export interface MqttDriver {
  connect(url: string, options: IClientOptions): MqttClient;
}

interface Open {
  readonly client: MqttClient;
  /** Yields the messages that wait to be stored, again and again. */
  take(): AsyncGenerator<readonly IPublishPacket[]>;
  /** Ends `take` with an error. */
  fail(error: Error): void;
  /** Whether the broker has kept the session, and with it the messages since the last connection. */
  readonly resumed: boolean;
}

/** The messages that wait to be stored: beyond their number, or the bytes of them, no more are received. */
const maxWaiting = { messages: 100, bytes: 1024 * 1024 };

/**
 * Creates a source that subscribes to topics of an MQTT 5 broker, which keeps the session while the gateway is away. The
 * messages that wait are stored together, and acknowledged once they are durable.
 */
export function createMqttSource(driver: MqttDriver, options: UpstreamOptions, settings: MqttOptions): Source {
  const { topics, qos, session } = settings;
  const mapper = createMapper(options.mapping, options.maxEventBytes);

  /** Retained messages are only wanted with a new subscription, not at each reconnect. */
  async function subscribe(client: MqttClient): Promise<void> {
    const granted = await client.subscribeAsync([...topics], { qos, rh: 1 });
    if (granted.some(({ qos: code }) => code >= 0x80)) throw new UpstreamFailure("upstream-status", { slow: true });
  }

  /** The event of a message; `undefined` if it is dropped. */
  async function toEvent(
    { topic, payload, dup }: IPublishPacket,
    attempt: Attempt,
  ): Promise<UpstreamEvent | undefined> {
    const mapped = mapper.ofBytes(Buffer.from(payload));
    if ("refused" in mapped) {
      refuse(attempt, mapped.refused);
      return undefined;
    }
    return (await isNew(mapped, dup, attempt)) ? { ...mapped, channel: mapped.channel ?? topic } : undefined;
  }

  async function* read({ client, take }: Open, attempt: Attempt): AsyncGenerator<SourceBatch> {
    for await (const packets of take()) {
      const events: UpstreamEvent[] = [];
      for (const packet of packets) {
        const event = await toEvent(packet, attempt);
        if (event) events.push(event);
      }
      yield { events, cursor: undefined, gap: false, acknowledge: () => acknowledge(client, packets) };
    }
  }

  return {
    async open({ url }, attempt) {
      const { signal, stream } = attempt;
      const own = { clientId: settings.clientId ?? `spillway-${stream}`, clean: false, expiry: session };
      const opened = await connect(driver, url, options, own, signal);
      const { client, resumed, fail } = opened;
      // The broker's answer may follow messages of the session, which have to be acknowledged first.
      subscribe(client).catch((error: unknown) => fail(error as Error));
      return { resumed, batches: read(opened, attempt), close: () => void client.end(true) };
    },
    async probe({ url }, signal) {
      const other = { clientId: `spillway-probe-${process.pid}-${Date.now()}`, clean: true, expiry: 0 };
      const { client } = await connect(driver, url, options, other, signal);
      client.end(true);
      return "available";
    },
  };
}

const unacknowledged = new Error("acknowledged once it is durable");

/** Acknowledges messages in their order, with a PUBACK for each (MQTT 5, section 3.4). */
function acknowledge(client: MqttClient, packets: readonly IPublishPacket[]): void {
  const ids = packets.flatMap(({ qos, messageId }) => (qos === 1 && messageId !== undefined ? [messageId] : []));
  if (ids.length > 0 && client.connected)
    client.stream.write(Buffer.from(ids.flatMap((id) => [0x40, 2, id >> 8, id & 0xff])));
}

/** A session on the broker. */
interface Session {
  readonly clientId: string;
  /** Whether a session that exists is discarded, and the new one ends with the connection. */
  readonly clean: boolean;
  /** How long the broker keeps it, in ms. */
  readonly expiry: number;
}

/** Connects. The end of the connection ends `take`. */
async function connect(
  driver: MqttDriver,
  url: string,
  { timeouts, tls, maxEventBytes }: UpstreamOptions,
  { clientId, clean, expiry }: Session,
  signal: AbortSignal,
): Promise<Open> {
  const client = driver.connect(url, {
    ...(tls as Pick<IClientOptions, "ca" | "cert" | "key">),
    protocolVersion: 5,
    clientId,
    clean,
    reconnectPeriod: 0,
    resubscribe: false,
    connectTimeout: timeouts.headers,
    keepalive: Math.max(1, Math.ceil(timeouts.idle / 3_000)),
    properties: {
      sessionExpiryInterval: Math.ceil(expiry / 1_000),
      receiveMaximum: maxWaiting.messages,
      // At most what the protocol can express (section 1.5.5).
      maximumPacketSize: Math.min(maxEventBytes + 65_536, 268_435_460),
    },
  });
  const inbox = createInbox<IPublishPacket>();
  let bytes = 0;
  let proceed = (): void => {};
  client.handleMessage = (packet, callback) => {
    inbox.push(packet);
    bytes += packet.payload.length;
    // With an error the library continues with the next message, and does not acknowledge this one.
    const next = (): void => callback(unacknowledged);
    if (inbox.size < maxWaiting.messages && bytes < maxWaiting.bytes) next();
    else proceed = next;
  };
  async function* take(): AsyncGenerator<readonly IPublishPacket[]> {
    for await (const packets of inbox.take(signal)) {
      bytes = 0;
      proceed();
      proceed = () => {};
      yield packets;
    }
  }
  const opened = new Promise<boolean>((resolve, reject) => {
    client.once("connect", ({ sessionPresent }) => resolve(sessionPresent));
    client.on("error", (error) => {
      inbox.end(error);
      reject(error);
    });
    client.on("close", () => {
      const failure = new UpstreamFailure("upstream-ended");
      inbox.end(failure);
      reject(failure);
    });
  });
  try {
    const resumed = await within(opened, timeouts.headers, signal, () => new UpstreamFailure("upstream-timeout"));
    return { client, resumed, take, fail: (error) => inbox.end(error) };
  } catch (error) {
    client.end(true);
    throw error;
  }
}
