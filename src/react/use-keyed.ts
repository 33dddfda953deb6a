import { useState } from "react";
import type { StreamFilter, Subject } from "../stream-store/connection.ts";
import type { Pool } from "../stream-store/pool.ts";
import type { StreamSource } from "../stream-store/source.ts";
import { subjectOf } from "../stream-store/subject.ts";
import { usePool } from "./provider.ts";

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
  filter: StreamFilter,
): readonly [pool: Pool, key: string, subject: Subject | undefined] {
  const pool = usePool();
  return [pool, ...subjectOf(pool, source, filter)];
}
