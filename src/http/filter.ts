import { allows, type Grant, type Identity, type SubscriberRight } from "../access/identity.ts";
import { SpillwayError } from "../errors.ts";
import type { EventCondition, LogFilter } from "../log/log.ts";
import { isGlob } from "../util/glob.ts";
import { isName, nameRule } from "../util/name.ts";
import { invalid, shown } from "./problem.ts";

/**
 * The largest number of patterns in a list, and of asterisks in a pattern. Every event is compared with all of them.
 */
const max = { patterns: 8, asterisks: 4 };

/**
 * Unknown parameters are ignored. But ignoring these misspellings would deliver all events to a client that wants only
 * some.
 */
const misspelt = [
  ["channel", "channels"],
  ["event", "events"],
] as const;

/** What a client requests; absent for everything. */
export interface RequestedFilter extends Pick<LogFilter, "channels" | "events"> {
  /** An expression that must match as well. */
  readonly filter?: string | undefined;
}

/**
 * Reads `?channels=a,b*` (or the path's channels) and `?events=x,y`, at most `names` names, and `?filter=<expression>`;
 * `undefined` if everything is wanted.
 */
export function readFilter(
  query: URLSearchParams,
  path: string | undefined,
  names: number,
): RequestedFilter | undefined {
  for (const [wrong, right] of misspelt) if (query.has(wrong)) throw invalid(wrong, `spelled "${right}"`, wrong);
  const channels = readNames("channels", path === undefined ? query.getAll("channels") : [path], names);
  const events = readNames("events", query.getAll("events"), names);
  const [filter, another] = query.getAll("filter");
  if (another !== undefined) throw invalid("filter", "given once; && joins two conditions", another);
  return channels || events || filter !== undefined ? { channels, events, filter } : undefined;
}

function readNames(field: string, values: readonly string[], limit: number): readonly string[] | undefined {
  if (values.length === 0) return undefined;
  const names = [...new Set(values.flatMap((value) => value.split(",")))];
  if (names.length > limit) throw invalid(field, `at most ${limit} names`, `${names.length} names`);
  assertNames(field, names);
  return names;
}

/** @throws {SpillwayError} `request-invalid` for an invalid name, and for too many patterns or asterisks. */
export function assertNames(field: string, names: readonly string[]): void {
  for (const name of names) {
    if (!isName(name)) throw invalid(field, nameRule, name);
    // `all` means everything in other services. Here it would silently match nothing.
    if (name === "all") throw invalid(field, `omitted to get everything, or "*" to match any name`, name);
    if (name.split("*").length - 1 > max.asterisks) throw invalid(field, `names with at most ${max.asterisks} *`, name);
  }
  const patterns = names.filter(isGlob).length;
  if (patterns > max.patterns) throw invalid(field, `at most ${max.patterns} patterns with *`, `${patterns} patterns`);
}

/** What a grant permits of a stream's events. A grant of routes says nothing of events. */
export function grantFor({ right }: { readonly right: SubscriberRight }, { grant }: Identity): Omit<Grant, "can"> {
  return right === "subscribe" ? grant : {};
}

/**
 * The filter for the requested events, limited to the granted ones. Every requested name or pattern must be granted. A
 * request for everything gets what is granted. Expressions are added by {@link addConditions}.
 * @throws {SpillwayError} `access-denied` naming the field.
 */
export function narrow(asked: RequestedFilter | undefined, grant: Omit<Grant, "can">): LogFilter | undefined {
  const channels = granted("channels", asked?.channels, grant.channels);
  const events = granted("events", asked?.events, grant.events);
  if (!channels && !events) return undefined;
  // A client that requests channels by name does not want events without a channel.
  const broadcast = grant.broadcast && channels && !asked?.channels ? true : undefined;
  const plain = { channels: broadcast ? undefined : withoutGlobs(channels), events: withoutGlobs(events) };
  const within = {
    channels: plain.channels ? undefined : channels,
    events: plain.events ? undefined : events,
    broadcast,
  };
  return within.channels || within.events ? { ...plain, within } : plain;
}

/** The filter with the conditions of expressions. */
export function addConditions(filter: LogFilter | undefined, where: readonly EventCondition[]): LogFilter | undefined {
  return where.length === 0 ? filter : { ...filter, where };
}

/** The list if it has no patterns, so that a store can look it up in an index. */
function withoutGlobs(names: readonly string[] | undefined): readonly string[] | undefined {
  return names?.some(isGlob) ? undefined : names;
}

function granted(
  field: "channels" | "events",
  asked: readonly string[] | undefined,
  patterns: readonly string[] | undefined,
): readonly string[] | undefined {
  if (!asked) return patterns;
  // Works for patterns too: an asterisk in the requested pattern is matched only by an asterisk of the grant.
  const refused = asked.find((name) => !allows(patterns, name));
  if (refused === undefined) return asked;
  throw new SpillwayError("access-denied", `not all of the requested ${field} are granted`, {
    field,
    got: shown(refused),
  });
}
