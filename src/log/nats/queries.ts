import { setTimeout as delay } from "node:timers/promises";
import { type Connection, repeat } from "./connection.ts";
import type { NatsHeaders, NatsQuery, NatsStoredMessage, NatsStreamConfig } from "./driver.ts";
import { isNameInUse, isOverlap, isStreamNotFound } from "./failure.ts";
import { type LogRecord, writeRecord } from "./record.ts";

/** A message of a JetStream stream. */
export interface StoredMessage {
  readonly seq: number;
  readonly subject: string;
  /** When the server stored it, in ms since 1970. */
  readonly time: number;
  readonly headers: NatsHeaders;
  readonly data: Uint8Array;
}

/** A message to store. */
export interface OutgoingMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly record?: LogRecord;
  /** Stored only if the stream's last sequence number is this one. */
  readonly expected?: number;
  /** Stored only if the last sequence number of its subject is this one; 0 for none. */
  readonly expectedOnSubject?: number;
  /** Whether it removes all earlier messages on its subject. */
  readonly replaces?: boolean;
}

/** Facts about a JetStream stream. */
export interface StreamFacts {
  readonly created: string;
  readonly subjects: readonly string[];
  readonly messages: number;
  readonly lastSeq: number;
}

/** All requests to JetStream, except for consumers. Errors are those of {@link Connection.request}. */
export interface Queries {
  /** Creates a stream if none of that name exists. */
  create(config: NatsStreamConfig): Promise<void>;
  /** The descriptions of the streams with subjects that match. */
  describe(subject: string): Promise<readonly string[]>;
  /** Removes a stream, if it exists. */
  remove(stream: string): Promise<void>;
  /** The facts about a stream; `undefined` if it does not exist. */
  facts(stream: string): Promise<StreamFacts | undefined>;
  /**
   * Stores a message; resolves to its sequence number. After an {@link UnknownOutcomeError} it may be stored or not.
   */
  publish(message: OutgoingMessage): Promise<number>;
  /** The message at `seq`. Any replica of the stream may answer; a replica that is behind may not have it yet. */
  at(stream: string, seq: number): Promise<StoredMessage | undefined>;
  /** The first message at or after `seq` on a subject, which may have wildcards. */
  next(stream: string, seq: number, subject: string): Promise<StoredMessage | undefined>;
  /** The last message on a subject, which may have wildcards. */
  last(stream: string, subject: string): Promise<StoredMessage | undefined>;
  /** Removes the messages before `seq` on a subject, which may have wildcards. */
  purge(stream: string, subject: string, seq: number): Promise<void>;
}

/** Timeout of one publish, in ms. */
const publishTimeout = 2_000;

/** Makes the queries over a connection. */
export function createQueries(connection: Connection): Queries {
  const { driver, js, manager } = connection;

  async function find(stream: string, query: NatsQuery): Promise<StoredMessage | undefined> {
    const message = await repeat(connection, () => manager.streams.getMessage(stream, query));
    return message ? toMessage(message) : undefined;
  }

  /**
   * Asks any replica of the stream, which answers in raw form, and then the leader if that replica lacks the message.
   */
  async function findAnywhere(stream: string, query: NatsQuery): Promise<StoredMessage | undefined> {
    const message = await repeat(connection, () => manager.direct.getMessage(stream, query));
    return message ? toMessage(message) : find(stream, query);
  }

  return {
    create: (config) => repeat(connection, () => createStream(connection, config)),
    describe: (subject) =>
      repeat(connection, async () => {
        const found: string[] = [];
        for await (const { config } of manager.streams.list(subject)) found.push(config.description ?? "");
        return found;
      }),
    remove: (stream) =>
      repeat(connection, async () => {
        try {
          await manager.streams.delete(stream);
        } catch (error) {
          if (!isStreamNotFound(error)) throw error;
        }
      }),
    facts: (stream) =>
      repeat(connection, async () => {
        try {
          const { created, config, state } = await manager.streams.info(stream);
          return { created, subjects: config.subjects, messages: state.messages, lastSeq: state.last_seq };
        } catch (error) {
          if (isStreamNotFound(error)) return undefined;
          throw error;
        }
      }),
    async publish({ subject, data, record, expected, expectedOnSubject, replaces }) {
      const headers = driver.headers();
      if (record) writeRecord(headers, record);
      if (replaces) headers.set("Nats-Rollup", "sub");
      const expect = {
        ...(expected !== undefined && { lastSequence: expected }),
        ...(expectedOnSubject !== undefined && { lastSubjectSequence: expectedOnSubject }),
      };
      const options = { headers, timeout: publishTimeout, expect };
      const { seq } = await connection.request(() => js.publish(subject, data, options));
      return seq;
    },
    at: (stream, seq) => findAnywhere(stream, { seq }),
    next: (stream, seq, subject) => findAnywhere(stream, { seq, next_by_subj: subject }),
    last: (stream, subject) => find(stream, { last_by_subj: subject }),
    async purge(stream, filter, seq) {
      await repeat(connection, () => manager.streams.purge(stream, { filter, seq }));
    },
  };
}

async function createStream({ manager }: Connection, config: NatsStreamConfig): Promise<void> {
  try {
    await manager.streams.add(config);
  } catch (error) {
    // Created by another node, or reconfigured by an operator.
    if (isNameInUse(error)) return;
    if (!isOverlap(error) || !(await isThere(manager, config.name))) throw error;
  }
}

/** Number of checks for a stream that another node is creating, and the delay before each one, in ms. */
const looks = 20;
const lookPause = 50;

async function isThere(manager: Connection["manager"], name: string): Promise<boolean> {
  for (let look = 0; look < looks; look++) {
    await delay(lookPause);
    try {
      await manager.streams.info(name);
      return true;
    } catch (error) {
      if (!isStreamNotFound(error)) throw error;
    }
  }
  return false;
}

function toMessage({ seq, subject, timestamp, header, data }: NatsStoredMessage): StoredMessage {
  return { seq, subject, time: Date.parse(timestamp), headers: header, data };
}
