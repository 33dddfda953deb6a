import { SpillwayError } from "../errors.ts";
import type { FilterPool, HeldFilter } from "../filter/stream-filters.ts";
import type { EventCondition } from "../log/log.ts";
import { addressKey } from "../util/ip-address.ts";
import { grantFor } from "./filter.ts";
import type { Caller, ServedStream } from "./gateway-context.ts";

/** The filter expressions of one client, which are in use until it releases them. */
export interface HeldFilters {
  /** The conditions of the grant, by which also ids are looked up. */
  readonly granted: readonly EventCondition[];
  /** Those of the grant, and the requested ones. */
  readonly all: readonly EventCondition[];
  release(): void;
}

const none: HeldFilters = { granted: [], all: [], release() {} };

/**
 * Compiles the filter expressions of a client: that of its grant, that of its ticket, and the requested one. An event must
 * match all of them.
 * @throws {SpillwayError} `filter-invalid`, `grant-invalid`, `too-many-filters`.
 */
export async function holdFilters(
  requested: string | undefined,
  { identity, address }: Caller,
  to: Pick<ServedStream, "filters" | "right">,
): Promise<HeldFilters> {
  const { scope, subject } = identity;
  const ofTicket = scope && "stream" in scope ? scope.filter : undefined;
  const { filters } = to;
  const grant = grantFor(to, identity);
  if (requested === undefined && grant.filter === undefined && ofTicket === undefined) return none;
  const owner = identity.recognized.by === "anonymous" && address !== undefined ? addressKey(address) : subject;
  const held: HeldFilter[] = [];
  const release = (): void => held.forEach((filter) => filter.release());
  const hold = async (pool: FilterPool, text: string, by?: string): Promise<EventCondition> => {
    const filter = await pool.hold(text, by);
    held.push(filter);
    return filter.condition;
  };
  try {
    const granted: EventCondition[] = [];
    if (grant.filter !== undefined) granted.push(await hold(filters.granted, grant.filter).catch(refuseGrant));
    if (ofTicket !== undefined) granted.push(await hold(filters.requested, ofTicket, owner));
    const all = requested === undefined ? granted : [...granted, await hold(filters.requested, requested, owner)];
    return { granted, all, release };
  } catch (error) {
    release();
    throw error;
  }
}

/** Without its filter, a grant would be larger than intended. */
function refuseGrant(error: unknown): never {
  if (!(error instanceof SpillwayError) || error.code !== "filter-invalid") throw error;
  throw new SpillwayError("grant-invalid", `the grant of the credential: ${error.message}`);
}
