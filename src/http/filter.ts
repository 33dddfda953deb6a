import { allows, type Grant } from "../access/identity.ts";
import { SpillwayError } from "../errors.ts";
import type { LogFilter } from "../log/log.ts";
import { isGlob } from "../util/glob.ts";
import { invalid, shown } from "./problem.ts";

/** Letters of one name. */
const longest = 256;

/** Patterns of one list, and asterisks of one pattern: every event is compared with all of them. */
const most = { patterns: 8, asterisks: 4 };

/** Unknown parameters are ignored. Ignoring these misspellings would deliver everything to a client that asked for little. */
const misspelt = [
  ["channel", "channels"],
  ["event", "events"],
] as const;

/** Names and patterns that a client asks for; absent for everything. */
export type RequestedFilter = Pick<LogFilter, "channels" | "events">;

/** Reads `?channels=a,b*` (or the path's channels) and `?events=x,y`, at most `names` names; `undefined` if everything is wanted. */
export function readFilter(
  query: URLSearchParams,
  path: string | undefined,
  names: number,
): RequestedFilter | undefined {
  for (const [wrong, right] of misspelt) if (query.has(wrong)) throw invalid(wrong, `written "${right}"`, wrong);
  const channels = readNames("channels", path === undefined ? query.getAll("channels") : [path], names);
  const events = readNames("events", query.getAll("events"), names);
  return channels || events ? { channels, events } : undefined;
}

function readNames(field: string, values: readonly string[], limit: number): readonly string[] | undefined {
  if (values.length === 0) return undefined;
  const names = [...new Set(values.flatMap((value) => value.split(",")))];
  if (names.length > limit) throw invalid(field, `at most ${limit} names`, `${names.length} names`);
  assertNames(field, names);
  return names;
}

/** @throws {SpillwayError} `request-invalid` for what is no name, and for patterns that cost too much. */
export function assertNames(field: string, names: readonly string[]): void {
  for (const name of names) {
    if (!isName(name)) throw invalid(field, nameRule, name);
    // Other services take it for everything; here it would silently match nothing.
    if (name === "all") throw invalid(field, `left out for everything, or "*" for any name`, name);
    if (name.split("*").length - 1 > most.asterisks)
      throw invalid(field, `names with at most ${most.asterisks} *`, name);
  }
  const patterns = names.filter(isGlob).length;
  if (patterns > most.patterns)
    throw invalid(field, `at most ${most.patterns} patterns with *`, `${patterns} patterns`);
}

/** What {@link isName} takes, in words. */
export const nameRule: string = `1 to ${longest} characters without comma or control characters`;

/** Whether a text can name a channel or an event type. */
export function isName(text: string): boolean {
  return text.length > 0 && text.length <= longest && !/[\u0000-\u001f\u007f,]/.test(text);
}

/**
 * The filter for what is asked for and granted. Who asks for names or patterns must be granted each; who asks for everything gets what is
 * granted.
 * @throws {SpillwayError} `access-denied` naming the field.
 */
export function narrow(asked: RequestedFilter | undefined, grant: Omit<Grant, "can">): LogFilter | undefined {
  const channels = granted("channels", asked?.channels, grant.channels);
  const events = granted("events", asked?.events, grant.events);
  if (!channels && !events) return undefined;
  // What is asked for by name is all that is wanted.
  const broadcast = grant.broadcast && channels && !asked?.channels ? true : undefined;
  const plain = { channels: broadcast ? undefined : withoutGlobs(channels), events: withoutGlobs(events) };
  const within = {
    channels: plain.channels ? undefined : channels,
    events: plain.events ? undefined : events,
    broadcast,
  };
  return within.channels || within.events ? { ...plain, within } : plain;
}

/** A list without patterns, which a store may look up in an index. */
function withoutGlobs(names: readonly string[] | undefined): readonly string[] | undefined {
  return names?.some(isGlob) ? undefined : names;
}

function granted(
  field: "channels" | "events",
  asked: readonly string[] | undefined,
  patterns: readonly string[] | undefined,
): readonly string[] | undefined {
  if (!asked) return patterns;
  // This holds for a pattern too: only an asterisk of the grant fits an asterisk of the text.
  const refused = asked.find((name) => !allows(patterns, name));
  if (refused === undefined) return asked;
  throw new SpillwayError("access-denied", `not all of ${field} is granted`, { field, got: shown(refused) });
}
