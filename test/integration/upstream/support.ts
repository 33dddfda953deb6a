import { onTestFinished } from "vitest";
import { createUpstream } from "../../../src/upstream/create-upstream.ts";
import { createSseSource } from "../../../src/upstream/sources/sse.ts";
import type {
  Upstream,
  UpstreamBatch,
  UpstreamDependencies,
  UpstreamOptions,
  UpstreamState,
  UpstreamStatus,
} from "../../../src/upstream/upstream.ts";
import type { Logger } from "../../../src/util/logger.ts";
import { startNumberedUpstream, type NumberedOptions, type NumberedUpstream } from "../../support/numbered-upstream.js";
import { eventually } from "../../support/reader.ts";
import { createLoggedHistory, type LoggedHistory } from "../../unit/upstream/logged-history.ts";
import { upstreamOptions } from "../../unit/upstream/support.ts";

/** One line of the log. */
export interface LogLine {
  readonly level: keyof Logger;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** An upstream under test and all that came out of it. */
export interface Probe {
  readonly upstream: Upstream;
  readonly history: LoggedHistory;
  readonly batches: UpstreamBatch[];
  readonly states: UpstreamStatus[];
  readonly lines: LogLine[];
  /** The `n` of each delivered event. */
  numbers(): number[];
  /** Waits until so many events were delivered. */
  untilDelivered(count: number): Promise<void>;
  untilState(state: UpstreamState): Promise<void>;
  /** Waits for a failure to be logged, and returns its code. */
  untilFailure(): Promise<unknown>;
}

/** Makes an upstream of one target and stops it after the test. */
export function probe(
  url: string,
  options: Partial<UpstreamOptions> = {},
  deps: Partial<UpstreamDependencies> = {},
  history: LoggedHistory = createLoggedHistory(),
): Probe {
  const batches: UpstreamBatch[] = [];
  const states: UpstreamStatus[] = [];
  const lines: LogLine[] = [];
  const log =
    (level: keyof Logger) =>
    (fields: object, message: string): void =>
      void lines.push({ level, fields: { ...fields }, message });
  const complete = upstreamOptions({ targets: [{ url, name: "a" }], ...options });
  const upstream = createUpstream(complete, () => createSseSource(complete), {
    history,
    async deliver(batch, signal) {
      await deps.deliver?.(batch, signal);
      batches.push(batch);
      history.append(batch);
    },
    onState: (status) => states.push(status),
    logger: { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") },
  });
  onTestFinished(() => upstream.stop());
  const failures = (): LogLine[] => lines.filter(({ level }) => level === "warn");
  return {
    upstream,
    history,
    batches,
    states,
    lines,
    numbers: () => history.events.map(({ data }) => (JSON.parse(data) as { n: number }).n),
    untilDelivered: (count) => eventually(() => history.events.length >= count),
    untilState: (state) => eventually(() => upstream.status().state === state),
    async untilFailure() {
      await eventually(() => failures().length > 0);
      return failures()[0]!.fields["code"];
    },
  };
}

/** Starts a source and closes it after the test. */
export async function source(options: Partial<NumberedOptions> = {}): Promise<NumberedUpstream> {
  const started = await startNumberedUpstream(options);
  onTestFinished(() => started.close());
  return started;
}

/** 1..m. */
export function upTo(m: number): number[] {
  return Array.from({ length: m }, (_, n) => n + 1);
}
