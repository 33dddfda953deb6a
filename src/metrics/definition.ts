import type { Durations } from "../util/durations.ts";
import type { ProcessSnapshot, Snapshot, StreamSnapshot } from "./snapshot.ts";

/** One value, and what tells it from the metric's others. */
export interface Sample<Value> {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: Value;
}

interface Described {
  readonly name: string;
  /** Ends without a full stop; the documentation says the same. */
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

/** A metric: what it is called, and how its values are found. Labels take few values: never one that a client can choose. */
export type Metric = NumberMetric | DurationMetric;

/** The samples of a metric that each stream has once; streams without a value are left out. */
export function eachStream<Value>(
  read: (stream: StreamSnapshot, snapshot: Snapshot) => Value | undefined,
): (snapshot: Snapshot) => Sample<Value>[] {
  return (snapshot) => snapshot.streams.flatMap((stream) => sample({ stream: stream.name }, read(stream, snapshot)));
}

/** The samples of a metric that each process has once. */
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
