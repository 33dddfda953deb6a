import { driverMissing } from "../../errors.ts";

/** The subset of a message's headers that is used. */
export interface NatsHeaders {
  get(key: string): string;
  set(key: string, value: string): void;
}

/** The subset of a connection that is used. */
export interface NatsConnection {
  readonly info?: { readonly max_payload: number } | undefined;
  status(): AsyncIterable<{ readonly type: string }>;
  isClosed(): boolean;
  close(): Promise<void>;
}

/** The subset of a stream's configuration that is used. */
export interface NatsStreamConfig {
  readonly name: string;
  readonly description?: string;
  readonly subjects: readonly string[];
  readonly storage: "file" | "memory";
  readonly num_replicas: number;
  readonly discard: "new" | "old";
  readonly allow_direct: boolean;
  readonly allow_rollup_hdrs: boolean;
  readonly max_msgs_per_subject?: number;
  /** In ns. */
  readonly max_age?: number;
}

/** The subset of a stream's info that is used. */
export interface NatsStreamInfo {
  readonly created: string;
  readonly config: {
    readonly subjects: readonly string[];
    readonly num_replicas: number;
    readonly description?: string | undefined;
  };
  readonly state: { readonly messages: number; readonly last_seq: number };
}

/** A message that is stored in a stream. */
export interface NatsStoredMessage {
  readonly seq: number;
  readonly subject: string;
  readonly timestamp: string;
  readonly header: NatsHeaders;
  readonly data: Uint8Array;
}

/** Selects a message of a stream: the one at `seq`, the first at or after it on a subject, or the last on a subject. */
export type NatsQuery = { readonly seq: number; readonly next_by_subj?: string } | { readonly last_by_subj: string };

/** A message that is delivered by a consumer. */
export interface NatsDelivery {
  readonly subject: string;
  readonly headers?: NatsHeaders | undefined;
  readonly data: Uint8Array;
  readonly info: { readonly deliverySequence: number; readonly streamSequence: number };
}

/** Messages as they arrive; ends after the requested number or time. */
export interface NatsDeliveries extends AsyncIterable<NatsDelivery> {
  stop(): void;
}

/** The subset of a consumer that is used. */
export interface NatsConsumer {
  fetch(options: {
    readonly max_messages: number;
    readonly expires: number;
    readonly idle_heartbeat: number;
  }): Promise<NatsDeliveries>;
  delete(): Promise<unknown>;
}

/** Options of a publish. */
export interface NatsPublishOptions {
  readonly headers: NatsHeaders;
  readonly timeout: number;
  readonly expect: { readonly lastSequence?: number; readonly lastSubjectSequence?: number };
}

/** The subset of a JetStream client that is used. */
export interface NatsJetStream {
  publish(subject: string, data: Uint8Array, options: NatsPublishOptions): Promise<{ readonly seq: number }>;
  readonly consumers: { getConsumerFromInfo(info: object): NatsConsumer };
}

/** The subset of a JetStream manager that is used. */
export interface NatsManager {
  readonly streams: {
    add(config: NatsStreamConfig): Promise<unknown>;
    info(stream: string): Promise<NatsStreamInfo>;
    /** The streams with subjects that match. */
    list(subject: string): AsyncIterable<NatsStreamInfo>;
    delete(stream: string): Promise<unknown>;
    getMessage(stream: string, query: NatsQuery): Promise<NatsStoredMessage | null>;
    purge(stream: string, options: { readonly filter: string; readonly seq: number }): Promise<unknown>;
  };
  readonly direct: { getMessage(stream: string, query: NatsQuery): Promise<NatsStoredMessage | null> };
  readonly consumers: {
    add(stream: string, config: object): Promise<{ readonly num_pending: number }>;
  };
}

/** The subset of the two packages that is used. */
export interface NatsDriver {
  connect(options: object): Promise<NatsConnection>;
  headers(): NatsHeaders;
  credsAuthenticator(credentials: Uint8Array): unknown;
  jetstream(connection: NatsConnection, options: { readonly timeout: number }): NatsJetStream;
  jetstreamManager(connection: NatsConnection, options: { readonly timeout: number }): Promise<NatsManager>;
}

const packageNames = ["@nats-io/transport-node", "@nats-io/jetstream"] as const;

/**
 * Loads the NATS client.
 * @throws {SpillwayError} `driver-missing`, naming the packages to install.
 */
export async function loadDriver(): Promise<NatsDriver> {
  try {
    const [transport, jetstream] = await Promise.all(packageNames.map((name) => import(name) as Promise<object>));
    return { ...transport, ...jetstream } as NatsDriver;
  } catch (cause) {
    throw driverMissing("NATS store", packageNames, cause);
  }
}
