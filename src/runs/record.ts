/** What is stored of runs: all in one log, the records of a run in its channel. */
import { createHash, randomBytes } from "node:crypto";
import type { HttpHeaders } from "../http/message.ts";
import type { LogEvent, NewEvent } from "../log/log.ts";
import type { Dialect } from "./options.ts";

/** The name of the log. No stream can have this name. */
export const runLog = "_runs";

/** The types of the records. */
export type RecordType =
  | "start"
  | "head"
  | "block"
  /** An id that the response gives to itself. */
  | "alias"
  /** The run is to be stopped. */
  | "stop"
  /** A node has clients of a run that another node runs, or no longer has. */
  | "watch"
  /** A node is alive. */
  | "beat"
  | "end";

/** The first record of a run. */
export interface RunStart {
  /** The route, or the name that a program gave. */
  readonly route: string;
  /** A hash of who has started it. */
  readonly owner: string;
  /** A hash of the key; absent for a run without one. */
  readonly key?: string | undefined;
  /** A hash of the request. */
  readonly digest: string;
  readonly dialect: Dialect;
  /** The process that runs it. */
  readonly node: string;
  readonly ttl: number;
  /** Whether everyone with the right to use the route may join. */
  readonly shared: boolean;
  /** Whether it is stopped when nobody watches it. */
  readonly cancels: boolean;
}

/** The head of the response. */
export interface RunHead {
  readonly status: number;
  readonly headers: HttpHeaders;
}

/** How a run ended. `truncated`: its response is not complete. `failed`: the target, or the program, reported an error. */
export type EndState = "completed" | "failed" | "cancelled" | "truncated";

/** The last record of a run. What follows it in the channel does not count. */
export interface RunEnd {
  readonly state: EndState;
  /** Why, if the state does not say it. */
  readonly reason?: string | undefined;
  /** What clients get at the end: blocks in the words of the dialect. */
  readonly text: string;
  /** Whether responses are cut, because the dialect has no words for it. */
  readonly cut: boolean;
  /** Whether there was no event stream, so that the key is free again. */
  readonly freed: boolean;
  readonly events: number;
  readonly bytes: number;
}

/** A run in the log. */
export interface Run {
  /** Its name: unguessable, and its channel. */
  readonly token: string;
  /** The sequence number of its first record. */
  readonly seq: number;
  /** When it was started, in ms since 1970. */
  readonly startedAt: number;
  readonly start: RunStart;
}

/** The end of a run in the log. */
export interface StoredEnd extends RunEnd {
  readonly seq: number;
  /** In ms since 1970. */
  readonly time: number;
}

/** Makes a token. */
export function newToken(): string {
  return randomBytes(16).toString("base64url");
}

/** The id of a run. It says where the run begins, so that no index of runs is needed. */
export function formatRunId({ seq, token }: Pick<Run, "seq" | "token">): string {
  return `${seq.toString(36)}-${token}`;
}

/** Parses an id; `undefined` if it is none. */
export function parseRunId(text: string): Pick<Run, "seq" | "token"> | undefined {
  const [, digits = "", token = ""] = /^([0-9a-z]{1,11})-([\w-]{22})$/.exec(text) ?? [];
  const seq = Number.parseInt(digits, 36);
  return Number.isSafeInteger(seq) && seq > 0 ? { seq, token } : undefined;
}

/** Makes a record; `id` is what it can be found by. */
export function toRecord(type: RecordType, token: string | undefined, data: string | object, id?: string): NewEvent {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  return { event: type, data: text, channel: token, upstreamId: id };
}

/** The run whose first record this is. */
export function toRun({ event, seq, time, channel, data }: LogEvent): Run | undefined {
  if (event !== "start" || channel === undefined) return undefined;
  return { token: channel, seq, startedAt: time, start: JSON.parse(data) as RunStart };
}

/** The end of a run that this record is. */
export function toEnd({ event, seq, time, data }: LogEvent): StoredEnd | undefined {
  return event === "end" ? { ...(JSON.parse(data) as RunEnd), seq, time } : undefined;
}

/** By what the end of a run is found. */
export function endId(token: string): string {
  return `end ${token}`;
}

/** A short hash, which stands for texts without showing them. */
export function hashOf(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length} `).update(part);
  return hash.digest("base64url").slice(0, 22);
}
