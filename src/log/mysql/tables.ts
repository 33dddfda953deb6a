/** The names of a store's tables, quoted for SQL. */
export interface Tables {
  readonly versions: string;
  readonly streams: string;
  readonly events: string;
  readonly idempotencyKeys: string;
  readonly writers: string;
  readonly wants: string;
}

/** The tables whose names begin with a prefix of letters, digits and `_`. */
export function nameTables(prefix: string): Tables {
  const named = (name: string): string => `\`${prefix}${name}\``;
  return {
    versions: named("schema_version"),
    streams: named("streams"),
    events: named("events"),
    idempotencyKeys: named("idempotency_keys"),
    writers: named("writers"),
    wants: named("wants"),
  };
}
