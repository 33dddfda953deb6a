import { useInsertionEffect, useMemo, useSyncExternalStore } from "react";
import type { StreamStoreOptions } from "../stream-store/client.ts";
import type { StreamSource } from "../stream-store/source.ts";
import { createStore, type StoreOptions, type StreamSnapshot } from "../stream-store/store.ts";
import { useKeyed, useSubject } from "./use-keyed.ts";

/** Options of {@link useStream}. Functions can differ in each render; `initial` is read when the component mounts, or the stream changes. */
export interface StreamOptions<Source, Data, Selected> extends StreamStoreOptions<Source, Data> {
  /** The part of the data that the component shows. It renders again only if that, by `Object.is`, or the state changes. */
  readonly select?: ((data: Data) => Selected) | undefined;
}

/**
 * Reads a stream into data. Connects when the component is mounted, never on a server.
 *
 * @param source a stream's name or definition; `null` connects to nothing
 */
export function useStream<Source extends StreamSource, Data, Selected = Data>(
  source: Source | null | undefined,
  options: StreamOptions<Source, Data, Selected>,
): StreamSnapshot<Selected> {
  const { select } = options;
  const [pool, key, subject] = useSubject(source, options);
  const latest = options as unknown as StoreOptions<Data>;
  const store = useKeyed(key, () => createStore(pool, key, subject, options.initial, latest));
  useInsertionEffect(() => void (store.options = latest));
  const read = useMemo(() => selector(store.getSnapshot, select), [store, select]);
  return useSyncExternalStore(store.subscribe, read, read);
}

/** Returns the same object until what it selects changes. */
function selector<Data, Selected>(
  getSnapshot: () => StreamSnapshot<Data>,
  select: ((data: Data) => Selected) | undefined,
): () => StreamSnapshot<Selected> {
  if (!select) return getSnapshot as () => StreamSnapshot<never>;
  let from: StreamSnapshot<Data> | undefined;
  let selected: StreamSnapshot<Selected> | undefined;
  return () => {
    const snapshot = getSnapshot();
    if (snapshot !== from) {
      const { state, stale } = snapshot;
      const data = select(snapshot.data);
      if (!Object.is(data, selected?.data) || state !== selected?.state || stale !== selected.stale)
        selected = { ...snapshot, data };
      from = snapshot;
    }
    return selected!;
  };
}
