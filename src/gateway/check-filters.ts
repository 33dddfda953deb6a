import { SpillwayError } from "../errors.ts";
import { compileFilter } from "../filter/filter.ts";
import type { GatewayOptions } from "./options.ts";

/**
 * Checks the filter expressions of the configured grants and deliveries.
 * @throws {SpillwayError} `config-invalid` naming the option.
 */
export async function checkFilters({
  access,
  deliveries,
}: Pick<GatewayOptions, "access" | "deliveries">): Promise<void> {
  await check(access.anonymous.filter, "access.anonymous.filter");
  for (const [index, { grant }] of access.keys.entries()) await check(grant.filter, `access.keys[${index}].filter`);
  for (const [name, { filter }] of Object.entries(deliveries)) await check(filter, `deliveries.${name}.filter`);
}

async function check(filter: string | undefined, field: string): Promise<void> {
  if (filter === undefined) return;
  try {
    await compileFilter(filter, field);
  } catch (error) {
    const { message, position } = error as SpillwayError;
    throw new SpillwayError("config-invalid", message, { field, position, cause: error });
  }
}
