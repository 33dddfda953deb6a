import { allows, type Grant } from "../access/grant.ts";
import { SpillwayError } from "../errors.ts";
import type { LogFilter } from "../log/log.ts";
import { isGlob } from "../util/glob.ts";
import { invalid, shown } from "./problem.ts";

/** Letters of one name. */
const longest = 256;

/** Parameters that we do not know are ignored. These would leave someone with everything who asked for little. */
const misspelt = [
  ["channel", "channels"],
  ["event", "events"],
] as const;

/** Reads `?channels=a,b` (or the path's channel) and `?events=x,y`, at most so many names; `undefined` if everything is wanted. */
export function readFilter(
  query: URLSearchParams,
  pathChannel: string | undefined,
  most: number,
): LogFilter | undefined {
  for (const [wrong, right] of misspelt) if (query.has(wrong)) throw invalid(wrong, `written "${right}"`, wrong);
  const channels = readNames("channels", pathChannel === undefined ? query.getAll("channels") : [pathChannel], most);
  const events = readNames("events", query.getAll("events"), most);
  return channels || events ? { channels, events } : undefined;
}

function readNames(field: string, values: readonly string[], most: number): readonly string[] | undefined {
  if (values.length === 0) return undefined;
  const names = [...new Set(values.flatMap((value) => value.split(",")))];
  if (names.length > most) throw invalid(field, `at most ${most} names`, `${names.length} names`);
  for (const name of names) if (!isName(name)) throw invalid(field, nameRule, name);
  return names;
}

/** What {@link isName} takes, in words. */
export const nameRule: string = `1 to ${longest} characters without comma or control characters`;

/** Whether a text can name a channel or an event type. */
export function isName(text: string): boolean {
  return text.length > 0 && text.length <= longest && !/[\u0000-\u001f\u007f,]/.test(text);
}

/**
 * What of the filter is granted. Who asks for names must be granted each; who asks for everything gets what is granted.
 * @throws {SpillwayError} `access-denied` naming the field.
 */
export function narrow(filter: LogFilter | undefined, { channels, events }: Grant): LogFilter | undefined {
  if (!channels && !events) return filter;
  const byChannel = narrowNames("channels", filter?.channels, channels);
  const byType = narrowNames("events", filter?.events, events);
  const within = byChannel.within || byType.within ? { channels: byChannel.within, events: byType.within } : undefined;
  return { channels: byChannel.names, events: byType.names, within };
}

interface Narrowed {
  readonly names?: readonly string[] | undefined;
  readonly within?: readonly string[] | undefined;
}

function narrowNames(
  field: string,
  asked: readonly string[] | undefined,
  granted: readonly string[] | undefined,
): Narrowed {
  if (!asked) return granted?.some(isGlob) ? { within: granted } : { names: granted };
  const refused = asked.find((name) => !allows(granted, name));
  if (refused === undefined) return { names: asked };
  throw new SpillwayError("access-denied", `not all of ${field} is granted`, { field, got: shown(refused) });
}
