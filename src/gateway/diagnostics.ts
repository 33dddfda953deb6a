import type { Check } from "../doctor/check.ts";
import type { Diagnostics } from "../http/diagnostics.ts";
import type { SubscriberStats } from "../http/gateway-status.ts";
import { createHistory, type HistorySample } from "../metrics/history.ts";
import type { GatewayOptions } from "./options.ts";
import type { OwnSource } from "./source.ts";

/** What the program that starts the gateway can tell about its configuration and its machine. */
export interface DiagnosticsHost {
  /** Prints options as YAML, with secrets masked. */
  printConfig(options: GatewayOptions): Promise<string>;
  /** Checks the machine. `streams`: what is known of the streams. */
  checkMachine(options: GatewayOptions, streams: readonly CheckedStream[]): Promise<readonly Check[]>;
}

export interface CheckedStream {
  readonly name: string;
  /** Why the log cannot store events; `undefined` if it can. */
  readonly paused: string | undefined;
  /** When the last event was appended, in ms since 1970; 0 before the first. */
  readonly lastTime: number;
  /** The size of the log in bytes. */
  readonly bytes: number;
}

/** The streams of a gateway. */
export interface DiagnosedStreams {
  readonly sources: ReadonlyMap<string, Pick<OwnSource, "attempts" | "log" | "paused">>;
  /** Those that are served, with the statistics of their subscribers in all processes. */
  readonly streams: {
    get(name: string): { subscriberStats(): Pick<SubscriberStats, "delivered" | "subscribers" | "lag"> } | undefined;
  };
}

/** The diagnostics of the process that ingests. */
export interface OwnDiagnostics extends Diagnostics {
  /** Takes no more samples. */
  stop(): void;
}

/**
 * Creates the diagnostics.
 * @param options the options in use
 */
export function createDiagnostics(
  { sources, streams: served }: DiagnosedStreams,
  options: () => GatewayOptions,
  host: DiagnosticsHost,
): OwnDiagnostics {
  const history = createHistory(function* samples() {
    for (const [name, { log }] of sources) {
      const { delivered = 0, subscribers = 0, lag = 0 } = served.get(name)?.subscriberStats() ?? {};
      const sample: HistorySample = { stored: log.state().head, delivered, subscribers, lag };
      yield [name, sample] as const;
    }
  });
  return {
    attempts: async () => Object.fromEntries(Array.from(sources, ([name, source]) => [name, source.attempts()])),
    history: async (after) => history.read(after),
    config: () => host.printConfig(options()),
    stop: history.stop,
    checks() {
      const streams = Array.from(sources, ([name, { log, paused }]): CheckedStream => {
        const { lastTime, bytes } = log.state();
        return { name, paused: paused(), lastTime, bytes };
      });
      return host.checkMachine(options(), streams);
    },
  };
}
