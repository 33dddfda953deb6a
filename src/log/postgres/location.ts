import { invalidStoreUrl } from "../engine/store-url.ts";

/** Where a store keeps its logs. */
export interface Location {
  /** The URL without the parameters that are meant for the store; it may hold a password. */
  readonly connectionString: string;
  /** The schema that holds the tables; also the channel of notifications. */
  readonly schema: string;
  /** Connections for reading, at most. */
  readonly max: number;
}

const schemaPattern = /^[a-z_][a-z0-9_]{0,62}$/;

/**
 * Reads a URL as `pg` takes it, with two parameters besides: `schema` (default `spillway`) and `max` (connections for reading, at
 * most; default 4).
 * @throws {SpillwayError} `config-invalid` (`store`); it does not repeat the URL, which may hold a password.
 */
export function readLocation(url: string): Location {
  const [base = "", ...rest] = url.split("?");
  const parameters = new URLSearchParams(rest.join("?"));
  if (!/^postgres(?:ql)?:\/\//i.test(base)) throw invalidStoreUrl("postgres://<user>@<host>/<database>", "another URL");
  const schema = parameters.get("schema") ?? "spillway";
  const max = parameters.get("max") ?? "4";
  if (!schemaPattern.test(schema))
    throw invalidStoreUrl("a schema of lower-case letters, digits and _", `schema=${schema}`);
  if (!/^[1-9]\d{0,2}$/.test(max)) throw invalidStoreUrl("connections from 1 to 999", `max=${max}`);
  parameters.delete("schema");
  parameters.delete("max");
  const query = parameters.toString();
  return { connectionString: query === "" ? base : `${base}?${query}`, schema, max: Number(max) };
}
