import type { StreamFilter, Subject } from "./connection.ts";
import type { Pool } from "./pool.ts";
import type { StreamSource } from "./source.ts";

/** What is read from a stream, and the key of that; nothing without a source. */
export function subjectOf(
  pool: Pool,
  source: StreamSource | null | undefined,
  { channels, events, filter, start }: StreamFilter,
): readonly [key: string, subject: Subject | undefined] {
  const definition = typeof source === "string" ? undefined : (source ?? undefined);
  const name = definition?.name ?? (source as string | null | undefined);
  const key = JSON.stringify([name, channels, events, filter]);
  const from = JSON.stringify(start) as string | undefined;
  const subject = name && {
    url: urlOf(pool, name),
    filter: { channels, events, filter, start },
    start: from,
    definition,
    key,
  };
  return [key + from, subject || undefined];
}

/** The URL of a stream. */
export function urlOf(pool: Pool, name: string): string {
  return `${(pool.options.url ?? "").replace(/\/$/, "")}/streams/${name}`;
}
