import { setTimeout as delay } from "node:timers/promises";
import { SpillwayError } from "../../errors.ts";
import { type Connection, patience } from "./connection.ts";
import { controlDraft, type Draft } from "./draft.ts";
import { UnknownOutcomeError, WrongSequenceError } from "./failure.ts";
import type { Head } from "./head.ts";
import type { Health } from "./health.ts";
import type { Queries } from "./queries.ts";
import type { LogRecord, Standing } from "./record.ts";
import type { LogNames } from "./schema.ts";

/** Makes the message to append after the message `seq`, where the log is at `standing`; `undefined` for none. */
export type BuildDraft = (standing: Standing, seq: number) => Draft | undefined | Promise<Draft | undefined>;

/** What a committer needs from its log. */
export interface CommitterDependencies {
  readonly connection: Pick<Connection, "ready">;
  readonly queries: Pick<Queries, "publish">;
  readonly names: LogNames;
  readonly head: Head;
  readonly health: Health;
  /** Called with each message that was appended here. */
  onCommitted(seq: number, draft: Draft): void;
}

/** A sent message. */
interface Sent {
  readonly draft: Draft;
  /** It is stored directly after this message, or not at all. */
  readonly expected: number;
  /** Whether the tail has received it. */
  landed: boolean;
}

/** Delay before a message is sent again, in ms. */
const retryWait = 50;

/**
 * Appends messages to a log, one at a time, each directly after the last one that this node knows. If another node was
 * faster, NATS refuses the message, and it is made again to follow that node's. Methods throw {@link LogReplacedError},
 * `store-unavailable` and other `store-…`, and whatever `make` throws. A class, because it tracks messages whose
 * outcome is unknown.
 */
export class Committer {
  readonly #dependencies: CommitterDependencies;
  /** Messages that the tail may receive, by their token. */
  readonly #sent = new Map<string, Sent>();
  #unsettled: Sent | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(dependencies: CommitterDependencies) {
    this.#dependencies = dependencies;
  }

  /** Whether it is unknown if a message of {@link Committer.append} is in the log. */
  get unsettled(): boolean {
    return this.#unsettled !== undefined;
  }

  /**
   * Resolves to the message that is now in the log, or to `undefined` if `make` returned none.
   * @throws {UnknownOutcomeError} if no answer came. If the message was sent, it is {@link Committer.unsettled} from
   * now on.
   */
  append(make: BuildDraft): Promise<Draft | undefined> {
    return this.#inTurn(() => this.#deliver(make, (message) => this.#sendOnce(message)));
  }

  /** Like {@link Committer.append}, for a control message, which is sent again until its outcome is known. */
  commit(make: BuildDraft): Promise<Draft | undefined> {
    return this.#inTurn(() => this.#deliver(make, (message, end) => this.#sendUntilKnown(message, end)));
  }

  /**
   * Resolves to the unsettled message if it is in the log, or to `undefined` if it never will be. This is certain once
   * a later message is known; if there is none, a control message is sent.
   */
  async settle(): Promise<Draft | undefined> {
    const { head, names } = this.#dependencies;
    const message = this.#unsettled;
    if (!message) return undefined;
    const { draft, expected } = message;
    if (head.seq <= expected)
      await this.commit((standing, seq) => (seq > expected ? undefined : controlDraft(names, standing)));
    this.#unsettled = undefined;
    this.#sent.delete(draft.record.token);
    return message.landed ? draft : undefined;
  }

  /** Must be called with every record that the tail receives. */
  noticed({ token }: LogRecord): void {
    const message = this.#sent.get(token);
    if (message) message.landed = true;
  }

  async #deliver(make: BuildDraft, send: (message: Sent, end: number) => Promise<boolean>): Promise<Draft | undefined> {
    const { connection, head } = this.#dependencies;
    const end = performance.now() + patience;
    do {
      await connection.ready();
      if (head.ended) throw head.ended;
      const expected = head.seq;
      const draft = await make(head.standing, expected);
      if (!draft) return undefined;
      const message: Sent = { draft, expected, landed: false };
      this.#sent.set(draft.record.token, message);
      try {
        if (await send(message, end)) return draft;
      } finally {
        if (message !== this.#unsettled) this.#sent.delete(draft.record.token);
      }
    } while (performance.now() < end);
    throw new SpillwayError("store-unavailable", "could not append, because other nodes append continuously");
  }

  async #sendOnce(message: Sent): Promise<boolean> {
    try {
      return await this.#send(message);
    } catch (error) {
      if (message.landed) return true;
      if (error instanceof UnknownOutcomeError) this.#unsettled = message;
      throw error;
    }
  }

  /** Sends a message until its outcome is known. */
  async #sendUntilKnown(message: Sent, end: number): Promise<boolean> {
    const { head, health } = this.#dependencies;
    for (;;) {
      try {
        return await this.#send(message);
      } catch (error) {
        if (message.landed) return true;
        if (!(error instanceof UnknownOutcomeError) || performance.now() >= end) throw error;
        await delay(retryWait);
        // If this check fails, the next attempt reports the problem.
        await health.check().catch(() => {});
        if (head.ended) throw head.ended;
      }
    }
  }

  /** Sends a message; true if it is stored, false if another message has its place. */
  async #send(message: Sent): Promise<boolean> {
    const { queries, head, onCommitted } = this.#dependencies;
    const { draft, expected } = message;
    try {
      const seq = await queries.publish({ ...draft, expected });
      if (seq > head.seq) onCommitted(seq, draft);
      return true;
    } catch (error) {
      if (!(error instanceof WrongSequenceError)) throw error;
      // While a cluster changes its leader, two servers may answer: one may refuse what the other one stores. Only the
      // messages that the tail receives after the expected one are conclusive.
      if (error.last > expected) await this.#reached(error.last);
      if (head.seq <= expected) throw new UnknownOutcomeError(error);
      return message.landed;
    }
  }

  async #reached(seq: number): Promise<void> {
    const { head } = this.#dependencies;
    try {
      await head.reached(seq);
    } catch (error) {
      throw head.ended ?? new UnknownOutcomeError(error);
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {});
    return mine;
  }
}
