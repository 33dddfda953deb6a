import type { StreamClientOptions, StreamFilter } from "./connection.ts";
import { createPool } from "./pool.ts";
import type { StreamEvent, StreamSource } from "./source.ts";
import { createStore, type StoreOptions, type StreamStore } from "./store.ts";
import { subjectOf } from "./subject.ts";

/** Options of a store. */
export interface StreamStoreOptions<Source, Data> extends StreamFilter {
  /** The data before the first event and on the server. */
  readonly initial: Data;
  /**
   * Returns the data after an event. It is called once for each event, in order. If it throws, the store reads no
   * further, and `error.code` is `handler-failed`.
   */
  readonly reduce: (data: Data, event: StreamEvent<Source>) => Data;
  /**
   * The shortest time between two changes of the snapshot, in ms. Default: it changes with the next frame, which a hidden
   * page does not have.
   */
  readonly throttle?: number | undefined;
  /**
   * Loads the data that the stream's events change. It is called when the stream is open, and again after a gap; events
   * wait until it has settled. They may be contained in what it loaded. If it rejects, `error.code` is `handler-failed`.
   */
  readonly load?: (() => Promise<Data>) | undefined;
}

/** The connections of a page. Stores that read the same events share one. */
export interface StreamClient {
  /**
   * Makes a store of a stream. It is connected while it has subscribers.
   * @param source the stream's name or definition
   */
  store<Source extends StreamSource, Data>(
    source: Source,
    options: StreamStoreOptions<Source, Data>,
  ): StreamStore<Data>;
}

/** Makes the stores of a page or a user. Nothing is connected before a store has a subscriber. */
export function createStreamClient(options?: StreamClientOptions): StreamClient {
  const pool = createPool(options);
  return {
    store(source, own) {
      const [key, subject] = subjectOf(pool, source, own);
      const store = createStore(pool, key, subject, own.initial, own as unknown as StoreOptions<typeof own.initial>);
      const subscribers = new Set<() => void>();
      let stop: (() => void) | undefined;

      function subscribe(changed: () => void): () => void {
        const subscriber = (): void => changed();
        subscribers.add(subscriber);
        stop ??= store.subscribe(() => subscribers.forEach((each) => each()));
        return () => {
          if (!subscribers.delete(subscriber) || subscribers.size > 0) return;
          stop?.();
          stop = undefined;
        };
      }

      return { getSnapshot: store.getSnapshot, subscribe };
    },
  };
}
