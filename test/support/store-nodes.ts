import { setTimeout as delay } from "node:timers/promises";
import { onTestFinished } from "vitest";
import type { AppendOptions, Log, LogEvent, LogStore, NewEvent, Retention } from "../../src/log/log.ts";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";

/** Retains everything. */
export const everything: Retention = { age: undefined, events: undefined, bytes: undefined };

/** One node: its store, and the log of the stream `s`. */
export interface Node {
  readonly store: LogStore;
  /** The log that is open now. */
  log: Log;
  /** The epochs of the logs that were reported as lost. */
  readonly lost: string[];
  /** The numbers and data that its watchers got since the log was opened. */
  seen: [seq: number, data: string][];
}

/** Starts a relay in front of a server, closed with the test. */
export async function proxyForTest(server: { readonly port: number }): Promise<TcpProxy> {
  const proxy = await startTcpProxy(server.port);
  onTestFinished(() => proxy.close());
  return proxy;
}

/** Closes a store after the test. */
export async function closedAfterTest(opening: Promise<LogStore>): Promise<LogStore> {
  const store = await opening;
  onTestFinished(() => store.close());
  return store;
}

/** Makes a store that reports streams whose log is lost. */
export type CreateStore = (onReset: (stream: string) => void) => Promise<LogStore>;

/** Opens a node that reopens the stream when its log is lost, like a gateway. */
export async function openNodeOf(create: CreateStore): Promise<Node> {
  const lost: string[] = [];
  const onReset = (stream: string): void => {
    lost.push(self.log.epoch);
    const reopen = (): void => {
      store.open(stream, { retention: everything }).then(use, (error: unknown) => {
        if ((error as { code?: string }).code !== "store-closed") setTimeout(reopen, 20);
      });
    };
    reopen();
  };
  const store = await closedAfterTest(create(onReset));
  const use = (log: Log): void => {
    self.log = log;
    self.seen = [];
    log.watch(({ events = [] }) => self.seen.push(...events.map(({ seq, data }): [number, string] => [seq, data])));
  };
  const self: Node = { store, lost, seen: [], log: await openLog(store) };
  use(self.log);
  return self;
}

/** An event. */
export function event(data: string): NewEvent {
  return { event: "message", data, channel: undefined, upstreamId: undefined };
}

/** Events with this data. */
export function eventsOf(...data: string[]): NewEvent[] {
  return data.map(event);
}

/** Opens the stream `s` with unlimited retention. */
export function openLog(store: LogStore): Promise<Log> {
  return store.open("s", { retention: everything });
}

/** The events that a node gets, in order. */
export function follow(log: Log): LogEvent[] {
  const events: LogEvent[] = [];
  log.watch((hint) => events.push(...(hint.events ?? [])));
  return events;
}

/** All events of a log. */
export async function contentOf(log: Log): Promise<LogEvent[]> {
  const events: LogEvent[] = [];
  for (let after = 0; ;) {
    const page = await log.read(after, { limit: 500 });
    events.push(...page.events);
    if (page.scanned === after || page.events.length === 0) return events;
    after = page.scanned;
  }
}

/** The data of all events of a log. */
export async function dataOf(log: Log): Promise<string[]> {
  return (await contentOf(log)).map(({ data }) => data);
}

/** 1 to `last`. */
export function numbersTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

/** Numbers as data. */
export function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
}

/** Repeats a call until it succeeds, like the gateway's ingest. */
export async function untilDone<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!retried.has((error as { code?: string }).code)) throw error;
      await delay(20);
    }
  }
}

/** The errors after which a caller may retry. */
const retried: ReadonlySet<string | undefined> = new Set(["store-unavailable", "append-unknown"]);

/** Appends like ingest: repeats with the same retry token until it succeeds. Resolves to the first number. */
export async function appendSurely(
  log: Log,
  events: readonly NewEvent[],
  options: AppendOptions = {},
): Promise<number> {
  const retryToken = {};
  return (await untilDone(() => log.append(events, { ...options, retryToken }))).first;
}
