import * as React from "react";
import { subscribeShared } from "../../../src/client/index.ts";
import {
  defineStream,
  type SchemaResult,
  type StandardSchema,
  type StreamDefinition,
} from "../../../src/events/index.ts";
import {
  SpillwayProvider,
  useSSE,
  useStream,
  useStreamEvent,
  useStreamState,
  type StreamClientOptions,
  type StreamFilter,
} from "../../../src/react/index.ts";

/** Components that show what the hooks return, as JSON in an element with their id. */

/** A component, as a test describes it. */
export interface Shown extends StreamFilter {
  readonly id: string;
  readonly kind: "feed" | "handler" | "state" | "sse";
  /** A stream, or a URL. */
  readonly of: string | null;
  /** Loads the data from this path. */
  readonly load?: string;
  /** By a definition, whose schema adds one to a number. */
  readonly typed?: boolean;
  /** Selects only whether the number of events is even. */
  readonly parity?: boolean;
  readonly throttle?: number;
  /** Within an `Activity`, which React 18 does not have. */
  readonly hidden?: boolean;
}

/** What the components did, for tests. */
export const record = {
  /** The data of the reduced or handled events, by component. */
  seen: {} as Record<string, unknown[]>,
  commits: 0,
  loads: 0,
  errors: [] as string[],
};

export interface FeedData {
  readonly count: number;
  readonly last?: unknown;
}

function see(id: string, data: unknown): void {
  (record.seen[id] ??= []).push(data);
}

function Output({ id, value }: { readonly id: string; readonly value: unknown }): React.ReactElement {
  return React.createElement("output", { id }, JSON.stringify(value));
}

const definitions = new Map<string, StreamDefinition>();

function define(name: string): StreamDefinition {
  const validate = (value: unknown): SchemaResult<unknown> =>
    typeof value === "number" ? { value: value + 1 } : { issues: [{ message: "not a number" }] };
  const trade: StandardSchema = { "~standard": { version: 1, vendor: "test", validate } };
  const definition = definitions.get(name) ?? defineStream(name, { events: { trade } });
  definitions.set(name, definition);
  return definition;
}

/** @param version shown with the rest, to tell a reloaded component from the one before */
export function makeFeed(version: number): (shown: Shown) => React.ReactElement {
  return function Feed({ id, of, load, parity, typed, ...options }) {
    const shown = useStream(typed ? define(of!) : of, {
      ...options,
      initial: { count: 0 },
      reduce: ({ count }: FeedData, { type, data }): FeedData => {
        see(id, type.startsWith("spillway.") ? type : data);
        if (data === "throw") throw new Error("the reducer failed");
        return { count: count + 1, last: data };
      },
      select: parity ? ({ count }) => count % 2 === 0 : undefined,
      load: load
        ? async () => {
            record.loads++;
            return (await (await fetch(load)).json()) as FeedData;
          }
        : undefined,
    });
    React.useEffect(() => void record.commits++);
    return React.createElement(Output, {
      id,
      value: { version, data: shown.data, status: shown.state.status, stale: shown.stale, error: shown.error?.code },
    });
  };
}

function Handler({ id, of, kind: _, ...filter }: Shown): React.ReactElement {
  useStreamEvent(of, "trade", ({ data }) => see(id, data), filter);
  return React.createElement(Output, { id, value: null });
}

function State({ id, of }: Shown): React.ReactElement {
  return React.createElement(Output, { id, value: useStreamState(of!).status });
}

function Sse({ id, of, events }: Shown): React.ReactElement {
  const { isConnected, lastEvent } = useSSE(of, {
    events,
    onMessage: ({ data }) => see(id, data),
    onError: ({ code }) => see(id, code),
  });
  return React.createElement(Output, { id, value: { isConnected, last: lastEvent?.data } });
}

export const components = { feed: makeFeed(1), handler: Handler, state: State, sse: Sse };

export interface AppProps {
  readonly client?: StreamClientOptions | undefined;
  /** Whether tabs share a connection. */
  readonly share?: boolean | undefined;
  readonly shown: readonly Shown[];
}

export function App({ client: given, share, shown }: AppProps): React.ReactElement {
  const client = share ? { ...given, subscribe: subscribeShared } : given;
  const children = shown.map((each) => {
    const element = React.createElement<Shown>(components[each.kind], { ...each, key: each.id } as Shown);
    if (each.hidden === undefined) return element;
    return React.createElement(React.Activity, {
      key: each.id,
      mode: each.hidden ? "hidden" : "visible",
      children: element,
    });
  });
  const provider = React.createElement(SpillwayProvider, { client }, ...children);
  return React.createElement(React.StrictMode, null, provider);
}
