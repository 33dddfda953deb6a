import { createHash } from "node:crypto";
import type { NatsStreamConfig } from "./driver.ts";
import type { NatsLocation } from "./location.ts";

/**
 * Names in NATS. A log is one JetStream stream with its own subjects:
 * - `<base>.e.0`: batches of events; `<base>.e.<name>`: a batch with an idempotency key, which is found by its subject;
 * - `<base>.c`: records without events; only the latest is kept;
 * - `<base>.p`: pieces of batches that are too large for one message.
 *
 * The base ends with a random token of the stream, so that messages for a deleted stream never get into a new stream of
 * the same name.
 */
export interface LogNames {
  /** The JetStream stream. */
  readonly stream: string;
  /** Wildcard for the subjects of all batches. */
  readonly batches: string;
  readonly plain: string;
  /** The subject of the batch with an idempotency key. */
  readonly keyed: (name: string) => string;
  readonly control: string;
  readonly pieces: string;
}

/** Names for the coordination of nodes. Its JetStream stream keeps the last message of each subject. */
export interface NodeNames {
  readonly stream: string;
  readonly lease: (stream: string) => string;
  readonly want: (stream: string, node: string) => string;
  readonly wants: (stream: string) => string;
  readonly clock: (node: string) => string;
}

/** The name of a log's JetStream stream. */
export function logStreamName(prefix: string, stream: string): string {
  return `${prefix}_log_${tokenOf(stream)}`;
}

/** The names of a log whose JetStream stream has this token. */
export function logNames(prefix: string, stream: string, token: string): LogNames {
  const base = `${prefix}.log.${tokenOf(stream)}.${token}`;
  return {
    stream: logStreamName(prefix, stream),
    batches: `${base}.e.*`,
    plain: `${base}.e.0`,
    keyed: (name) => `${base}.e.${name}`,
    control: `${base}.c`,
    pieces: `${base}.p`,
  };
}

/** The token of a JetStream stream, from its subjects. */
export function tokenOfSubjects(subjects: readonly string[]): string {
  return subjects[0]?.split(".").at(-2) ?? "";
}

/** The subjects of all logs. */
export function logSubjects(prefix: string): string {
  return `${prefix}.log.>`;
}

/** The names for the coordination of nodes. */
export function nodeNames(prefix: string): NodeNames {
  const base = `${prefix}.nodes`;
  return {
    stream: `${prefix}_nodes`,
    lease: (stream) => `${base}.lease.${tokenOf(stream)}`,
    want: (stream, node) => `${base}.want.${tokenOf(stream)}.${hash(node)}`,
    wants: (stream) => `${base}.want.${tokenOf(stream)}.*`,
    clock: (node) => `${base}.clock.${hash(node)}`,
  };
}

/**
 * The configuration of a log's JetStream stream. It has no limits, because the server must not remove the last message,
 * which contains the log's standing; the nodes apply retention.
 */
export function logConfig(location: NatsLocation, stream: string, names: LogNames): NatsStreamConfig {
  return {
    ...common(location),
    name: names.stream,
    description: stream,
    subjects: [names.control.replace(/c$/, ">")],
    discard: "new",
  };
}

/** How long messages for the coordination of nodes are kept, in ms: longer than any lease or demand. */
const nodesAge = 60 * 60 * 1000;

/** The configuration of the JetStream stream for the coordination of nodes. */
export function nodesConfig(location: NatsLocation): NatsStreamConfig {
  const name = nodeNames(location.prefix).stream;
  const limits = { max_msgs_per_subject: 1, max_age: nodesAge * 1e6, discard: "old" } as const;
  return { ...common(location), name, subjects: [`${location.prefix}.nodes.>`], ...limits };
}

function common({ storage, replicas }: NatsLocation): Omit<NatsStreamConfig, "name" | "subjects" | "discard"> {
  return { storage, num_replicas: replicas, allow_direct: true, allow_rollup_hdrs: true };
}

/** A stream's name in a form that is valid in NATS names and subjects. */
function tokenOf(stream: string): string {
  return /^[A-Za-z0-9_-]{1,64}$/.test(stream) ? stream : `~${hash(stream)}`;
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
