import { useCallback, useSyncExternalStore } from "react";
import type { ConnectionState } from "../client/index.ts";
import type { Pool } from "../stream-store/pool.ts";
import { usePool } from "./provider.ts";
import { nameOf, type StreamSource } from "../stream-store/source.ts";
import { isCurrent } from "../stream-store/store.ts";
import { urlOf } from "../stream-store/subject.ts";

const closed: ConnectionState = { status: "closed", error: undefined };

/**
 * The state of the connections to a stream that other components have opened; it opens none. If there are several, it
 * is that of one that is not open, or not caught up; if there is none, `closed`.
 */
export function useStreamState(source: StreamSource): ConnectionState {
  const pool = usePool();
  const url = urlOf(pool, nameOf(source)!);
  const observe = useCallback(
    (changed: () => void) => {
      pool.observers.add(changed);
      return () => void pool.observers.delete(changed);
    },
    [pool],
  );
  return useSyncExternalStore(
    observe,
    () => stateOf(pool, url),
    () => closed,
  );
}

function stateOf({ connections }: Pool, url: string): ConnectionState {
  const states = [...connections].filter(({ subject }) => subject.url === url).map((connection) => connection.state());
  return (
    states.find(({ status }) => status !== "open") ?? states.find((state) => !isCurrent(state)) ?? states[0] ?? closed
  );
}
