import { createExpiringMap, type ExpiringEntry } from "./expiring-map.ts";
import { monotonicMs } from "./durations.ts";
import { createTally } from "./tally.ts";

/** Caches answers, and lets callers that ask the same question at the same time share one request. */
export interface CoalescingCache<T> {
  /**
   * Resolves to the cached answer, to that of a pending request for the same question, or to the result of `ask`. If
   * `ask` fails without an answer, a recent stale value is used.
   * @param address the client that the answer is cached for
   */
  get(question: string, address: string, ask: () => Promise<T>): Promise<T>;
}

export interface CoalescingCacheOptions {
  /** How long an answer is fresh, in ms; 0 to cache nothing. */
  readonly keepFor: number;
  /** How much longer a value is used while no new answer is available, in ms. */
  readonly staleFor: number;
  /** Which rejections are answers, and are cached like others. */
  readonly isAnswer: (error: unknown) => boolean;
}

/**
 * Maximum number of cached values, and of cached rejections. They are counted apart, so neither displaces the other.
 */
const maxEntries = 10_000;
/** Maximum per address. Further answers are not cached, so that one client cannot displace the answers of others. */
const maxPerAddress = 1000;

/** Makes an empty cache. */
export function createCoalescingCache<T>({ keepFor, staleFor, isAnswer }: CoalescingCacheOptions): CoalescingCache<T> {
  const pending = new Map<string, Promise<T>>();
  const values = createBoundedMap<T>(keepFor === 0 ? 0 : keepFor + staleFor);
  const rejections = createBoundedMap<unknown>(keepFor);

  const ask = async (question: string, address: string, asking: Promise<T>): Promise<T> => {
    try {
      const value = await asking;
      values.set(question, address, value);
      return value;
    } catch (error) {
      if (isAnswer(error)) {
        values.delete(question);
        rejections.set(question, address, error);
        throw error;
      }
      const last = values.get(question);
      if (!last) throw error;
      return last.value.value;
    }
  };

  return {
    async get(question, address, askFor) {
      const known = values.get(question);
      if (known && known.setAt + keepFor > monotonicMs()) return known.value.value;
      const rejection = rejections.get(question);
      if (rejection) throw rejection.value.value;
      let asking = pending.get(question);
      if (!asking) {
        asking = ask(question, address, askFor()).finally(() => pending.delete(question));
        pending.set(question, asking);
      }
      return asking;
    },
  };
}

interface Attributed<T> {
  readonly value: T;
  readonly address: string;
}

interface BoundedMap<T> {
  get(question: string): ExpiringEntry<Attributed<T>> | undefined;
  set(question: string, address: string, value: T): void;
  delete(question: string): void;
}

function createBoundedMap<T>(ttl: number): BoundedMap<T> {
  const addresses = createTally();
  const onRemove = ({ address }: Attributed<T>): void => addresses.remove(address);
  const entries = createExpiringMap<Attributed<T>>({ ttl, max: maxEntries, onRemove });
  return {
    get: (question) => entries.get(question),
    delete: (question) => entries.delete(question),
    set(question, address, value) {
      // The lookup also removes expired entries, which must not count for the address.
      if (entries.get(question)) entries.delete(question);
      if (ttl === 0 || addresses.of(address) >= maxPerAddress) return;
      entries.set(question, { value, address });
      addresses.add(address);
    },
  };
}
