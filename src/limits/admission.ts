import { SpillwayError } from "../errors.ts";
import { addressKey } from "../util/ip-address.ts";
import type { Limits, Rate } from "./options.ts";
import { createRateCounter, type RateCounter } from "./rate-counter.ts";
import { createTally, type Tally } from "../util/tally.ts";

/** The client to admit. */
export interface Caller {
  /** The subject of its identity; `anonymous` counts by address only. */
  readonly subject: string;
  /** `undefined` if unknown: then nothing counts by address. */
  readonly address: string | undefined;
}

/** A request of which only the sender's address is known. */
export interface Arrival {
  /** `undefined` if unknown: then nothing counts. */
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
   * Admits one more subscription or held long poll; returns the function that releases it, which is idempotent.
   * @throws {SpillwayError} `at-capacity`, `overloaded`, `too-many-connections`, `rate-limited`, with `retryAfter`.
   */
  connect(caller: Caller): (() => void) | Promise<() => void>;
  /**
   * Admits one more publish request.
   * @throws {SpillwayError} `rate-limited` with `retryAfter`.
   */
  publish(caller: Caller): void | Promise<void>;
}

/** The limits that admission enforces. */
export type AdmissionLimits = Pick<
  Limits,
  "connections" | "perSubject" | "perAddress" | "connectRate" | "requestRate" | "publishRate"
>;

/** An admission that counts in this process, and does not ask another one. */
export interface CountingAdmission extends Admission {
  arrive(arrival: Arrival): void;
  connect(caller: Caller): () => void;
  publish(caller: Caller): void;
  /** Connections that are admitted and not yet released. */
  readonly connections: number;
  /** Number of subjects and addresses that are counted for open connections; 0 while neither has a limit. */
  readonly keys: number;
  /**
   * Applies other limits, which never evict existing connections. A connection that was admitted while subjects or
   * addresses had no limit does not count towards a new one. A changed rate restarts its count.
   */
  change(limits: AdmissionLimits): void;
}

/** Seconds after which a connection may have closed. */
const retryAfter = 10;

/** Makes an {@link Admission} for one gateway; with several worker processes, the primary process holds it. */
export function createAdmission(limits: AdmissionLimits): CountingAdmission {
  let bounds = limits;
  let connections = 0;
  const subjects = createTally();
  const addresses = createTally();
  let connectRate = rateOf(limits.connectRate);
  let requestRate = rateOf(limits.requestRate);
  let publishRate = rateOf(limits.publishRate);

  /** Counts one more connection, and returns the function that removes it again. */
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

/**
 * Limits how often a subject, or an address if it is anonymous, does something: the function throws `rate-limited` beyond
 * the rate, and never without one. Calls of unknown callers do not count.
 */
export function createRateLimit(rate: Rate | undefined): (caller: Caller) => void {
  const counted = rateOf(rate);
  return (caller) => counted && checkRate(counted, keysOf(caller));
}

function checkRoom(tally: Tally, key: string | undefined, bound: number | undefined, what: string): void {
  if (key === undefined || bound === undefined || tally.of(key) < bound) return;
  throw new SpillwayError("too-many-connections", `at most ${bound} connections per ${what}`, { retryAfter });
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

/** The key that a publisher counts by. The letter distinguishes subjects from addresses. */
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
