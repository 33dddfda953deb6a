import { createTally } from "../util/tally.ts";

/** Answers to questions, so that the same one is not asked again and again. */
export interface CoalescingCache<T> {
  /**
   * The answer that is known, that of an equal question on its way, or what `ask` brings. Where that fails to bring an answer, one that
   * was given not long ago.
   * @param address whose question it is
   */
  get(question: string, address: string, ask: () => Promise<T>): Promise<T>;
}

export interface CoalescingCacheOptions {
  /** How long an answer is known, in ms; 0 for not at all. */
  readonly keepFor: number;
  /** How much longer a value is used while no new answer is available, in ms. */
  readonly staleFor: number;
  /** Which rejections are answers, to be known like others. */
  readonly isAnswer: (error: unknown) => boolean;
}

/** Values that are known at most, and rejections that are: neither takes the place of the other. */
const most = 10_000;
/** Of them, those of one address. Beyond it a further one is not kept, so that nobody displaces the answers of others. */
const mostPerAddress = 1000;

/** Makes an empty store of answers. */
export function createCoalescingCache<T>({ keepFor, staleFor, isAnswer }: CoalescingCacheOptions): CoalescingCache<T> {
  const pending = new Map<string, Promise<T>>();
  const values = createKept<T>(keepFor === 0 ? 0 : keepFor + staleFor);
  const rejections = createKept<unknown>(keepFor);

  const ask = async (question: string, address: string, asking: Promise<T>): Promise<T> => {
    try {
      const value = await asking;
      values.keep(question, address, value);
      return value;
    } catch (error) {
      if (isAnswer(error)) {
        values.forget(question);
        rejections.keep(question, address, error);
        throw error;
      }
      const last = values.get(question);
      if (!last) throw error;
      return last.value;
    }
  };

  return {
    async get(question, address, askFor) {
      const known = values.get(question);
      if (known && known.at + keepFor > performance.now()) return known.value;
      const rejection = rejections.get(question);
      if (rejection) throw rejection.value;
      let asking = pending.get(question);
      if (!asking) {
        asking = ask(question, address, askFor()).finally(() => pending.delete(question));
        pending.set(question, asking);
      }
      return asking;
    },
  };
}

interface Entry<T> {
  readonly value: T;
  readonly address: string;
  /** When it was kept, in ms of the monotonic clock. */
  readonly at: number;
}

interface Kept<T> {
  get(question: string): Entry<T> | undefined;
  keep(question: string, address: string, value: T): void;
  forget(question: string): void;
}

function createKept<T>(keepFor: number): Kept<T> {
  // In the order in which they came, which is that in which they end.
  const entries = new Map<string, Entry<T>>();
  const addresses = createTally();
  const forget = (question: string): void => {
    const entry = entries.get(question);
    if (entry && entries.delete(question)) addresses.remove(entry.address);
  };
  const forgetEnded = (): void => {
    for (const [question, { at }] of entries) {
      if (at + keepFor > performance.now()) break;
      forget(question);
    }
  };
  return {
    forget,
    get(question) {
      forgetEnded();
      return entries.get(question);
    },
    keep(question, address, value) {
      forgetEnded();
      forget(question);
      if (keepFor === 0 || addresses.of(address) >= mostPerAddress) return;
      if (entries.size >= most) forget(entries.keys().next().value!);
      entries.set(question, { value, address, at: performance.now() });
      addresses.add(address);
    },
  };
}
