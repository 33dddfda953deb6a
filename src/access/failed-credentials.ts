import { createHmac, randomBytes } from "node:crypto";
import { LRUCache } from "lru-cache";
import { SpillwayError } from "../errors.ts";

/** So many different credentials that are not known, in so long (ms), from one address. */
export interface FailureRate {
  readonly count: number;
  readonly window: number;
}

/** Slows down who tries credentials. */
export interface FailedCredentials {
  /**
   * Looks a credential up by `identify`, and counts it for the address if it is not known. An address that has shown too many is refused
   * for a while that doubles each time, unless the credential has been good there before.
   * @throws {SpillwayError} `rate-limited` with `retryAfter`, and what `identify` throws.
   */
  guard<T>(address: string, credential: string, identify: () => T | Promise<T>): T | Promise<T>;
  /** Another rate from now on; `undefined` for none. */
  change(rate: FailureRate | undefined): void;
}

interface Failures {
  /** What was shown; the same credential again tells who guesses nothing, and is what a client with an old one does. */
  readonly seen: Set<string>;
  /** How often the address was refused for a while. */
  blocks: number;
  /** Until when it is refused, in ms of the monotonic clock. */
  until: number;
  lastAt: number;
}

/** The first time that an address is refused for, and the longest, in ms. */
const [shortest, longest] = [1000, 300_000];
/** Addresses whose failures are remembered, and credentials that were good at an address. */
const mostAddresses = 10_000;
const mostGood = 10_000;

/** Makes it without any failures. */
export function createFailedCredentials(first: FailureRate | undefined): FailedCredentials {
  let rate = first;
  const failures = new LRUCache<string, Failures>({ max: mostAddresses });
  const good = new LRUCache<string, true>({ max: mostGood });

  function assertNotRefused(address: string, name: string): void {
    const wait = (failures.get(address)?.until ?? 0) - performance.now();
    if (wait <= 0 || good.get(`${address} ${name}`)) return;
    const message = "this address has shown too many credentials that are not known (limits.failedCredentials)";
    throw new SpillwayError("rate-limited", message, { retryAfter: Math.ceil(wait / 1000) });
  }

  function fail({ count, window }: FailureRate, address: string, name: string): void {
    const now = performance.now();
    const before = failures.get(address);
    const isOver = !before || now > Math.max(before.until, before.lastAt) + window;
    const found = isOver ? { seen: new Set<string>(), blocks: 0, until: 0, lastAt: now } : before;
    failures.set(address, found);
    if (found.seen.has(name)) return;
    found.seen.add(name);
    found.lastAt = now;
    if (found.seen.size < count) return;
    found.until = now + Math.min(shortest * 2 ** found.blocks, longest);
    found.blocks++;
  }

  return {
    guard(address, credential, identify) {
      if (!rate) return identify();
      const name = nameOf(credential);
      assertNotRefused(address, name);
      const onKnown = <T>(identity: T): T => {
        good.set(`${address} ${name}`, true);
        return identity;
      };
      const onError = (error: unknown): never => {
        if (rate && error instanceof SpillwayError && error.code === "credential-invalid") fail(rate, address, name);
        throw error;
      };
      try {
        const found = identify();
        return found instanceof Promise ? found.then(onKnown, onError) : onKnown(found);
      } catch (error) {
        return onError(error);
      }
    },
    change(next) {
      rate = next;
    },
  };
}

/** Made anew by each process: what is remembered of a credential is of no use elsewhere. */
const namingKey = randomBytes(32);

function nameOf(credential: string): string {
  return createHmac("sha256", namingKey).update(credential).digest("base64");
}
