import type { IClientOptions, IPublishPacket, MqttClient } from "mqtt";
import { UpstreamFailure } from "../failure.ts";
import { within } from "../connect.ts";
import type { Attempt, Source, SourceBatch } from "../source.ts";
import type { MqttOptions, UpstreamEvent, UpstreamOptions } from "../upstream.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import { createMapper, refuse } from "./mapping.ts";

/** The part of the package `mqtt` that is used. */
export interface MqttDriver {
  connect(url: string, options: IClientOptions): MqttClient;
}

/** A message, and the function that acknowledges it. */
interface Delivery {
  readonly packet: IPublishPacket;
  acknowledge(): void;
}

interface Open {
  readonly client: MqttClient;
  /** Whether the broker has kept the session, and with it the messages since the last connection. */
  readonly resumed: boolean;
}

/**
 * Creates a source that subscribes to topics of an MQTT 5 broker, which keeps the session while the gateway is away. A
 * message is acknowledged once it is durable, and the next one is only received after that.
 */
export function createMqttSource(driver: MqttDriver, options: UpstreamOptions, settings: MqttOptions): Source {
  const { topics, qos, session } = settings;
  const mapper = createMapper(options.mapping);

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
    attempt.count("received");
    if (dup && mapped.id !== undefined && (await attempt.history.hasId(mapped.id))) {
      attempt.count("repeated");
      return undefined;
    }
    return { ...mapped, channel: mapped.channel ?? topic };
  }

  return {
    async open({ url }, attempt) {
      const { signal, stream } = attempt;
      const inbox = createInbox<Delivery>();
      const own = { clientId: settings.clientId ?? `spillway-${stream}`, clean: false, expiry: session };
      const { client, resumed } = await connect(driver, url, options, own, inbox, signal);
      // The broker's answer may follow messages of the session, which have to be acknowledged first.
      subscribe(client).catch((error: unknown) => inbox.end(error as Error));
      async function* read(): AsyncGenerator<SourceBatch> {
        for await (const deliveries of inbox.take(signal)) {
          for (const { packet, acknowledge } of deliveries) {
            const event = await toEvent(packet, attempt);
            yield { events: event ? [event] : [], cursor: undefined, gap: false, acknowledge };
          }
        }
      }
      return { resumed, batches: read(), close: () => void client.end(true) };
    },
    async probe({ url }, signal) {
      const other = { clientId: `spillway-probe-${process.pid}-${Date.now()}`, clean: true, expiry: 0 };
      const { client } = await connect(driver, url, options, other, createInbox(), signal);
      client.end(true);
      return "available";
    },
  };
}

/** A session on the broker. */
interface Session {
  readonly clientId: string;
  /** Whether a session that exists is discarded, and the new one ends with the connection. */
  readonly clean: boolean;
  /** How long the broker keeps it, in ms. */
  readonly expiry: number;
}

/** Connects, and puts received messages into the inbox. */
async function connect(
  driver: MqttDriver,
  url: string,
  { timeouts, tls, maxEventBytes }: UpstreamOptions,
  { clientId, clean, expiry }: Session,
  inbox: Inbox<Delivery>,
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
      receiveMaximum: 100,
      // At most what the protocol can express (section 1.5.5).
      maximumPacketSize: Math.min(maxEventBytes + 65_536, 268_435_460),
    },
  });
  client.handleMessage = (packet, callback) => inbox.push({ packet, acknowledge: () => callback() });
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
    return {
      client,
      resumed: await within(opened, timeouts.headers, signal, () => new UpstreamFailure("upstream-timeout")),
    };
  } catch (error) {
    client.end(true);
    throw error;
  }
}
