import { SpillwayError } from "../errors.ts";
import { addressKey } from "../util/ip-address.ts";
import type { Limits, Rate } from "./options.ts";
import { createRateCounter, type RateCounter } from "./rate-counter.ts";
import { createTally, type Tally } from "../util/tally.ts";

/** The client to admit. */
export interface Caller {
  /** As an identity has it; `anonymous` counts by address alone. */
  readonly subject: string;
  /** Absent where it is not known: then nothing counts by address. */
  readonly address: string | undefined;
}

/** A request of which only the sender's address is known. */
export interface Arrival {
  /** Absent where it is not known: then nothing counts. */
  readonly address: string | undefined;
  /** Whether it requests a subscription or a long poll. */
  readonly subscribes: boolean;
}

/** Counts connections and requests, and admits those within the limits. */
export interface Admission {
  /**
   * Counts a request before its sender is identified: requests that are refused later count too.
   * @throws {SpillwayError} `rate-limited` with `retryAfter`.
   */
  arrive(arrival: Arrival): void | Promise<void>;
  /**
   * One more subscription or held long poll; returns the function that releases it, which is idempotent.
   * @throws {SpillwayError} `at-capacity`, `overloaded`, `too-many-connections`, `rate-limited`, with `retryAfter`.
   */
  connect(caller: Caller): (() => void) | Promise<() => void>;
  /**
   * One more publish request.
   * @throws {SpillwayError} `rate-limited` with `retryAfter`.
   */
  publish(caller: Caller): void | Promise<void>;
}

/** The limits that admission enforces. */
export type AdmissionLimits = Pick<
  Limits,
  "connections" | "perSubject" | "perAddress" | "connectRate" | "requestRate" | "publishRate"
>;

/** An admission that counts by itself, and does not ask another process. */
export interface CountingAdmission extends Admission {
  arrive(arrival: Arrival): void;
  connect(caller: Caller): () => void;
  publish(caller: Caller): void;
  /** Connections that are admitted and not yet released. */
  readonly connections: number;
  /** Names that are held: subjects and addresses of those who are there. Nothing while neither has a bound. */
  readonly keys: number;
  /**
   * Applies other limits. Limits never evict existing connections; a connection that was admitted while a subject or an address had no
   * bound does not count for a new bound. A changed rate starts counting anew.
   */
  change(limits: AdmissionLimits): void;
}

/** Seconds after which a connection may have closed. */
const retryAfter = 10;

/** Makes an {@link Admission} for one gateway; with several worker processes it is the primary's. */
export function createAdmission(limits: AdmissionLimits): CountingAdmission {
  let bounds = limits;
  let connections = 0;
  const subjects = createTally();
  const addresses = createTally();
  let connectRate = rateOf(limits.connectRate);
  let requestRate = rateOf(limits.requestRate);
  let publishRate = rateOf(limits.publishRate);

  /** Counts one more, and returns the way to take it back. */
  function hold(subject: string | undefined, address: string | undefined): () => void {
    connections++;
    if (subject !== undefined) subjects.add(subject);
    if (address !== undefined) addresses.add(address);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      connections--;
      if (subject !== undefined) subjects.remove(subject);
      if (address !== undefined) addresses.remove(address);
    };
  }

  return {
    arrive({ address, subscribes }) {
      if (address === undefined) return;
      for (const rate of subscribes ? [requestRate, connectRate] : [requestRate])
        if (rate) checkRate(rate, [`a ${addressKey(address)}`]);
    },
    connect(caller) {
      if (connections >= bounds.connections) throw new SpillwayError("at-capacity", undefined, { retryAfter });
      const subject = bounds.perSubject === undefined ? undefined : subjectOf(caller);
      const address = bounds.perAddress === undefined ? undefined : addressOf(caller);
      checkRoom(subjects, subject, bounds.perSubject, "subject");
      checkRoom(addresses, address, bounds.perAddress, "address");
      const counted = subjectOf(caller);
      if (connectRate && counted !== undefined) checkRate(connectRate, [`s ${counted}`]);
      return hold(subject, address);
    },
    publish(caller) {
      if (publishRate) checkRate(publishRate, keysOf(caller));
    },
    get connections() {
      return connections;
    },
    get keys() {
      return subjects.size + addresses.size;
    },
    change(next) {
      if (!isSame(next.connectRate, bounds.connectRate)) connectRate = rateOf(next.connectRate);
      if (!isSame(next.requestRate, bounds.requestRate)) requestRate = rateOf(next.requestRate);
      if (!isSame(next.publishRate, bounds.publishRate)) publishRate = rateOf(next.publishRate);
      bounds = next;
    },
  };
}

function checkRoom(tally: Tally, key: string | undefined, bound: number | undefined, what: string): void {
  if (key === undefined || bound === undefined || tally.of(key) < bound) return;
  throw new SpillwayError("too-many-connections", `one ${what} has at most ${bound} connections`, { retryAfter });
}

interface Counted {
  readonly rate: Rate;
  readonly counter: RateCounter;
}

function rateOf(rate: Rate | undefined): Counted | undefined {
  return rate && { rate, counter: createRateCounter(rate) };
}

function checkRate({ rate, counter }: Counted, keys: readonly string[]): void {
  const wait = counter.take(keys);
  if (wait <= 0) return;
  const message = `at most ${rate.count} in ${rate.window / 1000} s`;
  throw new SpillwayError("rate-limited", message, { retryAfter: Math.ceil(wait / 1000) });
}

function isSame(a: Rate | undefined, b: Rate | undefined): boolean {
  return a?.count === b?.count && a?.window === b?.window;
}

/** The keys that a publisher counts by. The letter keeps subjects and addresses apart. */
function keysOf(caller: Caller): string[] {
  const [subject, address] = [subjectOf(caller), addressOf(caller)];
  if (subject !== undefined) return [`s ${subject}`];
  return address === undefined ? [] : [`a ${address}`];
}

function subjectOf({ subject }: Caller): string | undefined {
  return subject === "anonymous" ? undefined : subject;
}

function addressOf({ address }: Caller): string | undefined {
  return address === undefined ? undefined : addressKey(address);
}
