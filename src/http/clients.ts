/** The clients of a gateway, in whichever process they are connected. */
import { SpillwayError } from "../errors.ts";
import type { EndReason } from "../hub/control.ts";
import type { SubscriptionProgress } from "../hub/subscriber.ts";
import type { ClientConnection } from "./connection-hooks.ts";

/** Selects the sessions to end. */
export type SessionMatch =
  | { readonly subject: string; readonly stream?: string | undefined }
  | { readonly client: string }
  /** The sessions opened with a ticket, up to this number. */
  | { readonly ticket: string; readonly upTo: number };

export interface EndCall {
  readonly match: SessionMatch;
  readonly reason: EndReason;
}

/** An event for one connection. It is not stored. */
export interface SendCall {
  readonly client: string;
  /** Only if the client is connected to this stream. */
  readonly stream?: string | undefined;
  readonly event: string;
  readonly data: string;
}

/** `full`: the client does not read fast enough. `unknown`: no client with this id is connected. */
export type SendOutcome = "delivered" | "full" | "unknown";

export interface ListCall {
  readonly stream?: string | undefined;
  readonly subject?: string | undefined;
  /** `next` of the previous page. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** A client that is connected. */
export interface ConnectedClient extends ClientConnection, SubscriptionProgress {
  /** An RFC 3339 time in UTC. */
  readonly connectedAt: string;
}

/** The first clients after a position, in the order of {@link positionOf}. */
export interface ClientList {
  readonly clients: readonly ConnectedClient[];
  /** Whether there are more clients after the last one. */
  readonly more: boolean;
}

/** Clients in the order in which they connected. */
export interface ClientPage {
  readonly clients: readonly ConnectedClient[];
  /** The position of the next page; `null` if there are no more clients. */
  readonly next: string | null;
}

/** What a node is, and what it does. */
export interface NodeSummary {
  /** Its name, from `cluster.node`. */
  readonly node: string;
  readonly version: string;
  /** The time since its start, in whole seconds. */
  readonly uptime: number;
  /** The subscribers of all its streams. */
  readonly subscribers: number;
  /** The streams that it ingests, of those whose store nodes share. */
  readonly leads: readonly string[];
}

/** What processes ask each other. */
export interface PeerCalls extends SessionCalls {
  /** What this process is and does. */
  summary(): NodeSummary;
  /** Of these streams, those that are in use. The others stay closed for a moment, so that the asker can remove them. */
  used(call: { readonly streams: readonly string[] }): readonly string[];
}

/** What each process does with its own sessions. Arguments and results are plain JSON: processes ask each other. */
export interface SessionCalls {
  /** Ends the matching sessions and returns their number. */
  end(call: EndCall): number;
  /** The stream that a client is connected to; `null` if no client with this id is connected. */
  streamOf(call: { readonly client: string }): string | null;
  /** Sends an event to a client, past its filter and the log. */
  send(call: SendCall): SendOutcome;
  /** The connected clients, without long polls. */
  list(call: ListCall): ClientList;
}

/** A question to another process: a method of {@link PeerCalls} with its argument. */
export type PeerCall = {
  readonly [Name in keyof PeerCalls]: { readonly name: Name; readonly call?: Parameters<PeerCalls[Name]>[0] };
}[keyof PeerCalls];

/** The answers of the other processes: results of the method. */
export interface PeerAnswers {
  readonly answers: readonly unknown[];
  /** Whether all processes have answered, or as many as {@link isFinal} requires. */
  readonly complete: boolean;
}

/** The other processes that serve the clients of a gateway: workers, or nodes that share the store. */
export interface Peers {
  /** Resolves when all have answered, or after a timeout. Never rejects. */
  ask(call: PeerCall): Promise<PeerAnswers>;
}

/** Answers the question of another process. */
export function answerPeer(calls: PeerCalls, { name, call }: PeerCall): unknown {
  const method = calls[name] as ((call: unknown) => unknown) | undefined;
  return method?.(call);
}

/** Whether no further answers to a question are needed: only one process has a client. */
export function isFinal({ name }: PeerCall, answer: unknown): boolean {
  if (name === "streamOf") return typeof answer === "string";
  return name === "send" && answer !== undefined && answer !== "unknown";
}

/** The clients in all processes. */
export interface Clients {
  /** Ends sessions and resolves to their number, as far as the other processes have answered. */
  end(match: SessionMatch, reason: EndReason): Promise<number>;
  /**
   * The stream that a client is connected to; `null` if no client with this id is connected.
   * @throws {SpillwayError} `peer-timeout`: the client may be connected to a process that does not answer.
   */
  streamOf(client: string): Promise<string | null>;
  /** @throws {SpillwayError} `peer-timeout`, as `streamOf` does. */
  send(call: SendCall): Promise<SendOutcome>;
  /** @throws {SpillwayError} `peer-timeout` */
  list(call: ListCall): Promise<ClientPage>;
  /** This process and the others, and whether all of them have answered. */
  summaries(): Promise<{ readonly summaries: readonly NodeSummary[]; readonly complete: boolean }>;
}

/** @param peers absent if there are no other processes */
export function createClients(sessions: PeerCalls, peers: Peers | undefined): Clients {
  /** The answer of the process that has the client; that of this one if none has. */
  async function askOwner(call: PeerCall): Promise<unknown> {
    const own = answerPeer(sessions, call);
    if (isFinal(call, own) || !peers) return own;
    const { answers, complete } = await peers.ask(call);
    const found = answers.find((answer) => isFinal(call, answer));
    if (found === undefined && !complete) throw new SpillwayError("peer-timeout");
    return found ?? own;
  }

  return {
    async end(match, reason) {
      const call = { match, reason };
      const asked = peers?.ask({ name: "end", call });
      const ended = sessions.end(call);
      const { answers = [] } = (await asked) ?? {};
      return (answers as readonly number[]).reduce((sum, each) => sum + each, ended);
    },
    streamOf: async (client) => (await askOwner({ name: "streamOf", call: { client } })) as string | null,
    send: async (call) => (await askOwner({ name: "send", call })) as SendOutcome,
    async list(call) {
      const asked = peers?.ask({ name: "list", call });
      const own = sessions.list(call);
      const { answers = [], complete = true } = (await asked) ?? {};
      if (!complete) throw new SpillwayError("peer-timeout");
      return merge([own, ...(answers as readonly ClientList[])], call.limit);
    },
    async summaries() {
      const { answers = [], complete = true } = (await peers?.ask({ name: "summary" })) ?? {};
      return { summaries: [sessions.summary(), ...(answers as readonly NodeSummary[])], complete };
    },
  };
}

/** The position of a client in a list. Positions are compared as text. */
export function positionOf({ connectedAt, client }: Pick<ConnectedClient, "connectedAt" | "client">): string {
  return `${connectedAt}.${client}`;
}

function merge(lists: readonly ClientList[], limit: number): ClientPage {
  // What lies behind the end of an incomplete list is unknown.
  const ends = lists.filter(({ more }) => more).map(({ clients }) => positionOf(clients.at(-1)!));
  const [end] = ends.toSorted();
  const known = lists
    .flatMap(({ clients }) => clients.map((client) => ({ client, position: positionOf(client) })))
    .filter(({ position }) => end === undefined || position <= end)
    .toSorted((a, b) => (a.position < b.position ? -1 : 1));
  const page = known.slice(0, limit);
  const hasMore = end !== undefined || page.length < known.length;
  return { clients: page.map(({ client }) => client), next: hasMore ? page.at(-1)!.position : null };
}
