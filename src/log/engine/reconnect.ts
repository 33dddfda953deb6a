import { backoffDelay } from "../../util/backoff.ts";
import { pause } from "../../util/pause.ts";
import type { Outage } from "./outage.ts";

/** What keeps a connection. */
export interface ReconnectOptions {
  /** Connects, calls `onConnected`, and serves until the connection has ended; may reject with the reason. */
  attempt(onConnected: () => void): Promise<void>;
  readonly outage: Outage;
  /** What the log says of a failure. Default: the error as `err`. */
  describe(error: unknown): object;
  readonly signal: AbortSignal;
}

/** Between two attempts, in ms. */
const retry = { min: 50, max: 2_000 };

/** Makes attempts one after the other, with a growing pause while they fail, until the signal aborts. Reports failures to the outage. */
export async function keepConnected({ attempt, outage, describe, signal }: ReconnectOptions): Promise<void> {
  let failures = 0;
  const onConnected = (): void => {
    outage.works(attempt);
    failures = 0;
  };
  while (!signal.aborted) {
    try {
      await attempt(onConnected);
    } catch (error) {
      failures++;
      if (!signal.aborted) outage.failed(attempt, describe(error));
    }
    await pause(backoffDelay(failures, retry, 0, Math.random()), signal);
  }
  outage.forget(attempt);
}
