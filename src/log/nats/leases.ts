import type { TakenLease } from "../engine/driver.ts";
import type { Clock } from "./clock.ts";
import { WrongSequenceError } from "./failure.ts";
import type { Queries } from "./queries.ts";
import type { NodeNames } from "./schema.ts";

/** Identifies this store among those that share the logs. */
export interface Self {
  readonly node: string;
  /** Random: distinguishes the store from earlier or other ones of the same node. */
  readonly owner: string;
}

/** A lease as stored in NATS: the last message on the stream's subject. */
export interface FoundLease extends Self {
  /** Sequence number of the message. */
  readonly seq: number;
  readonly fence: number;
  /** Whether it has neither expired nor been released. */
  readonly valid: boolean;
  /** Whether it was released. */
  readonly over: boolean;
}

/** A lease of this store, without the log's state. */
type OwnLease = Omit<TakenLease, "state">;

/** The leases in NATS. Errors are those of {@link Queries}. */
export interface Leases {
  /** The latest lease of a stream, valid or not. */
  find(stream: string): Promise<FoundLease | undefined>;
  /** Whether this store holds the lease. */
  has(stream: string): boolean;
  /** Writes a lease that replaces the message `seq`, or 0 for none; `undefined` if another node was faster. */
  take(stream: string, seq: number, fence: number, ttl: number): Promise<OwnLease | undefined>;
}

/** The content of a message. `ttl` is in ms from the message's time, and 0 if the lease was released. */
interface LeaseWord extends Self {
  readonly fence: number;
  readonly ttl: number;
}

/** Makes the {@link Leases} of a store. */
export function createLeases(queries: Queries, names: NodeNames, clock: Clock, self: Self): Leases {
  const held = new Set<string>();

  async function find(stream: string): Promise<FoundLease | undefined> {
    const message = await queries.last(names.stream, names.lease(stream));
    if (!message) return undefined;
    const { node, owner, fence, ttl } = JSON.parse(Buffer.from(message.data).toString()) as LeaseWord;
    const over = ttl === 0;
    const valid = !over && (await clock.now()) < message.time + ttl;
    return { seq: message.seq, node, owner, fence, valid, over };
  }

  /** Replaces the message `seq`; resolves to the new message, or `undefined` if another one has replaced it. */
  async function replace(stream: string, seq: number, fence: number, ttl: number): Promise<number | undefined> {
    const word: LeaseWord = { ...self, fence, ttl };
    const data = Buffer.from(JSON.stringify(word));
    try {
      return await queries.publish({ subject: names.lease(stream), data, expectedOnSubject: seq });
    } catch (error) {
      if (error instanceof WrongSequenceError) return undefined;
      throw error;
    }
  }

  function createLease(stream: string, fence: number, first: number): OwnLease {
    let seq = first;
    let ended = false;

    function end(): void {
      if (!ended) held.delete(stream);
      ended = true;
    }

    async function write(ttl: number): Promise<boolean> {
      if (ended) return false;
      let next = await replace(stream, seq, fence, ttl);
      if (next === undefined) {
        // It may have been replaced by this lease itself, in a message that was stored although no answer came.
        const found = await find(stream);
        const isOwn = found?.owner === self.owner && found.fence === fence && !found.over;
        next = isOwn ? await replace(stream, found.seq, fence, ttl) : undefined;
      }
      if (next === undefined) end();
      else seq = next;
      return next !== undefined;
    }

    return {
      fence,
      renew: (ttl) => write(ttl),
      async release() {
        await write(0);
        end();
      },
    };
  }

  return {
    find,
    has: (stream) => held.has(stream),
    async take(stream, before, fence, ttl) {
      const seq = await replace(stream, before, fence, ttl);
      if (seq === undefined) return undefined;
      held.add(stream);
      return createLease(stream, fence, seq);
    },
  };
}
