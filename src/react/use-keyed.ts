import { useState } from "react";
import { usePool } from "./provider.ts";
import type { StreamFilter, Subject } from "./connection.ts";
import type { Pool } from "./pool.ts";
import { partsOf, type StreamSource } from "./source.ts";

/** Keeps what `make` returned until the key is another one; also over a hot reload, unlike `useMemo`. */
export function useKeyed<Value extends { readonly key: string }>(key: string, make: () => Value): Value {
  const [kept, keep] = useState(make);
  if (kept.key === key) return kept;
  const made = make();
  keep(made);
  return made;
}

/** What a hook reads from a stream, and the key of that. */
export function useSubject(
  source: StreamSource | null | undefined,
  { channels, events, filter, start }: StreamFilter,
): readonly [pool: Pool, key: string, subject: Subject | undefined] {
  const pool = usePool();
  const { name, decode } = partsOf(source);
  const key = JSON.stringify([name, channels, events, filter]);
  const from = JSON.stringify(start) as string | undefined;
  const subject = name && {
    url: urlOf(pool, name),
    filter: { channels, events, filter, start },
    start: from,
    decode,
    key,
  };
  return [pool, key + from, subject || undefined];
}

/** The URL of a stream. */
export function urlOf(pool: Pool, name: string): string {
  return `${(pool.options.url ?? "").replace(/\/$/, "")}/streams/${name}`;
}
