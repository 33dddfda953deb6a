import { SpillwayError } from "../errors.ts";
import { compileFilter } from "../filter/filter.ts";
import type { AccessOptions } from "./options.ts";

/**
 * Checks the filter expressions of the configured grants.
 * @throws {SpillwayError} `config-invalid` naming the option.
 */
export async function checkGrantFilters({ anonymous, keys }: Pick<AccessOptions, "anonymous" | "keys">): Promise<void> {
  await check(anonymous.filter, "access.anonymous.filter");
  for (const [index, { grant }] of keys.entries()) await check(grant.filter, `access.keys[${index}].filter`);
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
