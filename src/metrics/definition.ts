import type { Durations } from "../util/durations.ts";
import type { ProcessSnapshot, Snapshot, StreamSnapshot } from "./snapshot.ts";

/** One value of a metric, with its labels. */
export interface Sample<Value> {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: Value;
}

interface Described {
  readonly name: string;
  /** Without a full stop at the end. The documentation has the same text. */
  readonly help: string;
  readonly labels: readonly string[];
}

export interface NumberMetric extends Described {
  readonly type: "counter" | "gauge";
  samples(snapshot: Snapshot): readonly Sample<number>[];
}

export interface DurationMetric extends Described {
  readonly type: "histogram";
  samples(snapshot: Snapshot): readonly Sample<Durations>[];
}

/**
 * A metric: its description, and a function that reads its values. Labels must not take values that a client can
 * choose.
 */
export type Metric = NumberMetric | DurationMetric;

/** The samples of a metric with one value per stream. Streams without a value are left out. */
export function eachStream<Value>(
  read: (stream: StreamSnapshot, snapshot: Snapshot) => Value | undefined,
): (snapshot: Snapshot) => Sample<Value>[] {
  return (snapshot) => snapshot.streams.flatMap((stream) => sample({ stream: stream.name }, read(stream, snapshot)));
}

/** The samples of a metric with one value per process. */
export function eachProcess(
  read: (process: ProcessSnapshot) => number | undefined,
): (snapshot: Snapshot) => Sample<number>[] {
  return ({ processes }) =>
    processes.flatMap((process) => {
      return sample(process.worker === undefined ? {} : { worker: process.worker }, read(process));
    });
}

/** A sample, if there is a value. */
export function sample<Value>(labels: Sample<Value>["labels"], value: Value | undefined): Sample<Value>[] {
  return value === undefined ? [] : [{ labels, value }];
}
