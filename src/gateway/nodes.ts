import { randomUUID } from "node:crypto";
import { answerPeer, isFinal, type PeerAnswers, type PeerCall, type PeerCalls, type Peers } from "../http/clients.ts";
import { LogFollower } from "../hub/log-follower.ts";
import type { LogEvent, LogStore } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import { Rounds } from "../util/rounds.ts";

/** The name of the log over which nodes ask each other. No stream can have this name. */
export const nodeLog = "_nodes";

export interface NodesOptions {
  readonly store: LogStore;
  /** What other nodes may ask this one. */
  peerCalls(): PeerCalls;
  readonly logger: Logger;
}

/** An entry of the log. `from` is the random name of a process. */
type Entry = { readonly from: string } &
  /** A node has started; answered by all others, so that they know each other. */
  (
    | { readonly kind: "join"; readonly id: string }
    | { readonly kind: "ask"; readonly id: string; readonly call: PeerCall }
    | { readonly kind: "answer"; readonly id: string; readonly answer?: unknown }
    | { readonly kind: "leave" }
  );

/** How long the other nodes have to answer, in ms. */
const answerTimeout = 2000;

/** The delay between two attempts to open a new log, in ms. */
const renewDelay = 1000;

/** Entries are of use for a moment only. */
const retention = { age: 60_000, events: undefined, bytes: 16 * 1024 * 1024 };

/**
 * The nodes that share the store. Each follows a log in it, and appends questions and answers. A node knows those that
 * have written to the log. It forgets one that leaves, or that has not answered in time, until it writes again.
 */
export class Nodes implements Peers {
  readonly #options: NodesOptions;
  readonly #self = randomUUID();
  readonly #others = new Set<string>();
  readonly #rounds = new Rounds<string>(answerTimeout);
  #follower: LogFollower | undefined;
  #stopped = false;

  constructor(options: NodesOptions) {
    this.#options = options;
  }

  /**
   * Announces this node, which answers the questions of others from then on.
   * @throws {SpillwayError} a `store-…` code
   */
  async start(): Promise<void> {
    const { store, logger } = this.#options;
    const log = await store.open(nodeLog, { retention });
    const follower = new LogFollower(log, (event) => this.#take(event), logger);
    follower.head = log.state().head;
    await follower.start();
    if (this.#stopped) return follower.stop();
    this.#follower = follower;
    await this.#append({ from: this.#self, kind: "join", id: this.#self });
  }

  async ask(call: PeerCall): Promise<PeerAnswers> {
    try {
      const send = (id: string): Promise<void> => this.#append({ from: this.#self, kind: "ask", id, call });
      const { answers, late } = await this.#rounds.ask(this.#others, send, (answer) => isFinal(call, answer));
      for (const node of late) this.#others.delete(node);
      return { answers, complete: late.length === 0 && this.#follower !== undefined };
    } catch (error) {
      this.#options.logger.warn({ err: error }, "the other nodes cannot be asked");
      return { answers: [], complete: false };
    }
  }

  /** Switches to the new log after the store lost the old one. */
  renew(): void {
    this.#follower?.stop();
    this.#follower = undefined;
    if (this.#stopped) return;
    this.start().catch((error: unknown) => {
      this.#options.logger.warn({ err: error }, "the log of the nodes cannot be opened");
      setTimeout(() => this.renew(), renewDelay).unref();
    });
  }

  /** Announces that this node leaves. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#append({ from: this.#self, kind: "leave" }).catch(() => {});
    this.#follower?.stop();
  }

  async #append(entry: Entry): Promise<void> {
    const event = { event: entry.kind, data: JSON.stringify(entry), channel: undefined, upstreamId: undefined };
    await this.#follower?.log.append([event]);
  }

  #take({ data }: LogEvent): void {
    const entry = JSON.parse(data) as Entry;
    const { from, kind } = entry;
    if (from === this.#self) return;
    if (kind === "leave") {
      this.#others.delete(from);
      return this.#rounds.left(from);
    }
    this.#others.add(from);
    if (kind === "answer") this.#rounds.answered(entry.id, from, entry.answer);
    else this.#answer(entry.id, kind === "ask" ? answerPeer(this.#options.peerCalls(), entry.call) : undefined);
  }

  #answer(id: string, answer: unknown): void {
    this.#append({ from: this.#self, kind: "answer", id, answer }).catch((error: unknown) =>
      this.#options.logger.warn({ err: error }, "a question of another node could not be answered"),
    );
  }
}
