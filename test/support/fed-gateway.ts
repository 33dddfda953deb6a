import {
  createGateway,
  type ErrorCode,
  type Gateway,
  type Logger,
  type StreamConfig,
  type StreamStatus,
  type StreamUpstreamStatus,
  type UpstreamConfig,
} from "spillway";
import { onTestFinished } from "vitest";
import { eventually } from "./reader.ts";

/** An event as a subscriber gets it. */
export interface FedEvent {
  readonly event: string;
  readonly data: string;
  readonly channel: string | null;
}

/** A gateway in this process whose stream `fed` has the source under test. */
export interface FedGateway {
  readonly gateway: Gateway;
  /** All events of the stream, gaps included. */
  readonly events: readonly FedEvent[];
  /** The data of all events but gaps. */
  data(): string[];
  gaps(): number;
  status(): StreamUpstreamStatus;
  /** The texts of all log lines. */
  readonly lines: readonly string[];
  untilData(count: number): Promise<void>;
  untilError(code: ErrorCode): Promise<void>;
  close(): Promise<void>;
}

/** Starts a gateway, and closes it after the test. Reconnects quickly. */
export async function startFed(
  upstream: UpstreamConfig,
  store = "memory:",
  stream: Omit<StreamConfig, "upstream"> = {},
): Promise<FedGateway> {
  const lines: string[] = [];
  const log = (fields: object, message: string): void => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  const options = { backoff: { min: 5, max: 20 }, coolDown: 0, ...upstream };
  const gateway = await createGateway({ store, streams: { fed: { ...stream, upstream: options } } }, { logger });
  const leaving = new AbortController();
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    leaving.abort();
    closed ??= gateway.close();
    return closed;
  };
  onTestFinished(close);
  const events: FedEvent[] = [];
  const subscription = gateway.subscribe("fed", { after: "earliest", signal: leaving.signal });
  void (async () => {
    for await (const { event, data, channel } of subscription) events.push({ event, data, channel });
  })().catch(() => {});
  const isGap = ({ event }: FedEvent): boolean => event === "spillway.gap";
  const data = (): string[] => events.filter((event) => !isGap(event)).map((event) => event.data);
  const status = (): StreamUpstreamStatus => (gateway.status().streams["fed"] as StreamStatus).upstream!;
  return {
    gateway,
    events,
    data,
    gaps: () => events.filter(isGap).length,
    status,
    lines,
    untilData: (count) => eventually(() => data().length >= count, `${count} events`),
    untilError: (code) => eventually(() => status().lastError === code, code),
    close,
  };
}
