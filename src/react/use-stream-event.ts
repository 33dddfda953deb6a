import { useEffect, useInsertionEffect } from "react";
import type { ClientEvent, ConnectionState } from "../client/index.ts";
import type { StreamFilter, Subject } from "../stream-store/connection.ts";
import type { Pool } from "../stream-store/pool.ts";
import type { StreamEvent, StreamSource } from "../stream-store/source.ts";
import { useKeyed, useSubject } from "./use-keyed.ts";

/**
 * Calls a handler for each event of a type while the component is mounted. It does not render. If the handler returns a
 * promise, the next event waits for it. What it throws is an uncaught error, as in any event listener.
 *
 * @param source a stream's name or definition; `null` connects to nothing
 * @param type a type, or `*` for all
 * @param filter hooks with an equal one share a connection
 */
export function useStreamEvent<Source extends StreamSource, Type extends StreamEvent<Source>["type"] | "*">(
  source: Source | null | undefined,
  type: Type,
  handler: (event: "*" extends Type ? StreamEvent<Source> : Extract<StreamEvent<Source>, { type: Type }>) => unknown,
  filter: StreamFilter = {},
): void {
  const [pool, key, subject] = useSubject(source, filter);
  const latest = { type, handler: handler as (event: ClientEvent) => unknown };
  const listener = useKeyed(key, () => createListener(pool, key, subject, latest));
  useInsertionEffect(() => void (listener.latest = latest));
  useEffect(() => listener.join?.(), [listener]);
}

interface EventListener {
  readonly key: string;
  readonly join: (() => () => void) | undefined;
  latest: { readonly type: string; readonly handler: (event: ClientEvent) => unknown };
}

function createListener(
  pool: Pool,
  key: string,
  subject: Subject | undefined,
  latest: EventListener["latest"],
): EventListener {
  const join = subject && pool.member(subject, { onEvent, onState });
  const listener: EventListener = { key, join, latest };
  return listener;

  async function onEvent(event: ClientEvent): Promise<void> {
    const { type, handler } = listener.latest;
    if (type !== "*" && type !== event.type) return;
    try {
      await handler(event);
    } catch (error) {
      report(error);
    }
  }

  function onState(state: ConnectionState): void {
    if (state.status === "closed" && state.error) report(state.error);
  }
}

/** Without a result of the hook, an error must not be overlooked. */
function report(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
