import { SpillwayError } from "../errors.ts";
import { compileFilter } from "../filter/filter.ts";
import { loadTransforms } from "../proxy/proxy.ts";
import { loadTransform } from "../transform/load.ts";
import type { GatewayOptions } from "./options.ts";

/**
 * Checks what only other modules can tell: loads the transforms of the routes and of the streams that are made on demand, and
 * compiles the filter expressions of the grants and deliveries.
 * @throws {SpillwayError} `config-invalid` naming the option.
 */
export async function checkOptions({
  routes,
  patterns,
  access,
  deliveries,
}: Pick<GatewayOptions, "routes" | "patterns" | "access" | "deliveries">): Promise<void> {
  await loadTransforms(routes);
  for (const [pattern, { stream }] of Object.entries(patterns))
    if (stream.transform) await loadTransform(stream.transform.module, `streams.${pattern}.transform`);
  await checkFilter(access.anonymous.filter, "access.anonymous.filter");
  for (const [index, { grant }] of access.keys.entries())
    await checkFilter(grant.filter, `access.keys[${index}].filter`);
  for (const [name, { filter }] of Object.entries(deliveries)) await checkFilter(filter, `deliveries.${name}.filter`);
}

async function checkFilter(filter: string | undefined, field: string): Promise<void> {
  if (filter === undefined) return;
  try {
    await compileFilter(filter, field);
  } catch (error) {
    const { message, position } = error as SpillwayError;
    throw new SpillwayError("config-invalid", message, { field, position, cause: error });
  }
}
