import { onTestFinished } from "vitest";
import { subscribe, type ClientEvent, type ConnectionState, type Subscription } from "../../src/client/index.ts";
import type { StreamUrl } from "../../src/client/request.ts";
import type { SubscribeOptions } from "../../src/client/options.ts";

/** A subscription with all that it has reported. */
export interface Observed {
  readonly subscription: Subscription;
  readonly states: ConnectionState[];
  /** The events that its handler got, if it was asked to handle them. */
  readonly events: ClientEvent[];
  /** The data of these events. */
  data(): unknown[];
  /** The states by name. */
  statuses(): string[];
  /** The codes of the errors before each attempt, and of the last one. */
  codes(): string[];
}

/** Short delays between attempts, in ms. */
export const hurry = { min: 1, max: 20 } as const;

/** Subscribes until the test ends, and records the states. */
export function observe(url: StreamUrl, options: SubscribeOptions = {}): Observed {
  const subscription = subscribe(url, { backoff: hurry, ...options });
  onTestFinished(subscription.close);
  const states: ConnectionState[] = [];
  const events: ClientEvent[] = [];
  subscription.onState((state) => states.push(state));
  return {
    subscription,
    states,
    events,
    data: () => events.map(({ data }) => data),
    statuses: () => states.map(({ status }) => status),
    codes: () => states.flatMap((state) => ("error" in state && state.error ? state.error.code : [])),
  };
}

/** The same, and records the events. */
export function collect(url: StreamUrl, options: SubscribeOptions = {}): Observed {
  const observed = observe(url, options);
  observed.subscription.on("*", (event) => observed.events.push(event));
  return observed;
}
