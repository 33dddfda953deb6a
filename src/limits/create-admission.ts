import { SpillwayError } from "../errors.ts";
import { addressKey } from "../util/address-key.ts";
import type { Admission, Caller } from "./admission.ts";
import { createMemoryRateCounter } from "./memory-rate-counter.ts";
import type { Limits, Rate } from "./options.ts";
import type { CreateRateCounter, RateCounter } from "./rate-counter.ts";
import { createTally, type Tally } from "../util/tally.ts";

/** The limits that say who is let in. */
export type AdmissionLimits = Pick<
  Limits,
  "connections" | "perSubject" | "perAddress" | "connectRate" | "requestRate" | "publishRate"
>;

/** An admission that counts by itself, and does not ask another process. */
export interface CountingAdmission extends Admission {
  /** Those that were let in and not let go yet. */
  readonly connections: number;
  /** Names that are held: subjects and addresses of those who are there. Nothing while neither has a bound. */
  readonly keys: number;
  /**
   * Takes other limits from now on. Nobody is put out; who came while there was no bound for a subject or an address does not count
   * for a new one. A changed rate starts to count anew.
   */
  change(limits: AdmissionLimits): void;
}

/** Seconds after which someone may have gone. */
const retryAfter = 10;

/** Makes an {@link Admission} for one gateway; with several worker processes it is the primary's. */
export function createAdmission(
  limits: AdmissionLimits,
  createCounter: CreateRateCounter = createMemoryRateCounter,
): CountingAdmission {
  let bounds = limits;
  let connections = 0;
  const subjects = createTally();
  const addresses = createTally();
  let connectRate = rateOf(limits.connectRate, createCounter);
  let requestRate = rateOf(limits.requestRate, createCounter);
  let publishRate = rateOf(limits.publishRate, createCounter);

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

  async function count(rates: readonly (Counted | undefined)[], address: string): Promise<void> {
    for (const rate of rates) if (rate) await checkRate(rate, [address]);
  }

  return {
    arrive({ address, subscribes }) {
      const rates = subscribes ? [requestRate, connectRate] : [requestRate];
      if (address === undefined || !rates.some(Boolean)) return undefined;
      return count(rates, `a ${addressKey(address)}`);
    },
    connect(caller) {
      if (connections >= bounds.connections) throw new SpillwayError("at-capacity", undefined, { retryAfter });
      const subject = bounds.perSubject === undefined ? undefined : subjectOf(caller);
      const address = bounds.perAddress === undefined ? undefined : addressOf(caller);
      checkRoom(subjects, subject, bounds.perSubject, "subject");
      checkRoom(addresses, address, bounds.perAddress, "address");
      const release = hold(subject, address);
      const counted = subjectOf(caller);
      if (!connectRate || counted === undefined) return release;
      return releaseUnless(checkRate(connectRate, [`s ${counted}`]), release);
    },
    publish(caller) {
      return publishRate ? checkRate(publishRate, keyOf(caller)) : undefined;
    },
    get connections() {
      return connections;
    },
    get keys() {
      return subjects.size + addresses.size;
    },
    change(next) {
      if (!isSame(next.connectRate, bounds.connectRate)) connectRate = rateOf(next.connectRate, createCounter);
      if (!isSame(next.requestRate, bounds.requestRate)) requestRate = rateOf(next.requestRate, createCounter);
      if (!isSame(next.publishRate, bounds.publishRate)) publishRate = rateOf(next.publishRate, createCounter);
      bounds = next;
    },
  };
}

/** A place is held while the rate is looked up, so that nobody else gets it meanwhile. */
async function releaseUnless(allowed: Promise<void>, release: () => void): Promise<() => void> {
  try {
    await allowed;
    return release;
  } catch (error) {
    release();
    throw error;
  }
}

function checkRoom(tally: Tally, key: string | undefined, bound: number | undefined, what: string): void {
  if (key === undefined || bound === undefined || tally.of(key) < bound) return;
  throw new SpillwayError("too-many-connections", `one ${what} has at most ${bound} connections`, { retryAfter });
}

interface Counted {
  readonly rate: Rate;
  readonly counter: RateCounter;
}

function rateOf(rate: Rate | undefined, createCounter: CreateRateCounter): Counted | undefined {
  return rate && { rate, counter: createCounter(rate) };
}

async function checkRate({ rate, counter }: Counted, keys: readonly string[]): Promise<void> {
  const wait = await counter.take(keys);
  if (wait <= 0) return;
  const message = `at most ${rate.count} in ${rate.window / 1000} s`;
  throw new SpillwayError("rate-limited", message, { retryAfter: Math.ceil(wait / 1000) });
}

function isSame(a: Rate | undefined, b: Rate | undefined): boolean {
  return a?.count === b?.count && a?.window === b?.window;
}

/** What a publisher counts by. The letter keeps a subject from being taken for an address. */
function keyOf(caller: Caller): string[] {
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
