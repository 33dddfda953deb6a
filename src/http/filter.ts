import type { LogFilter } from "../log/log.ts";
import { invalid } from "./problem.ts";

/** Names in one list. */
const most = 100;
/** Letters of one name. */
const longest = 256;

/** Parameters that we do not know are ignored. These would leave someone with everything who asked for little. */
const misspelt = [
  ["channel", "channels"],
  ["event", "events"],
] as const;

/** Reads `?channels=a,b` (or the path's channel) and `?events=x,y`; `undefined` if everything is wanted. */
export function readFilter(query: URLSearchParams, pathChannel: string | undefined): LogFilter | undefined {
  for (const [wrong, right] of misspelt) if (query.has(wrong)) throw invalid(wrong, `written "${right}"`, wrong);
  const channels = readNames("channels", pathChannel === undefined ? query.getAll("channels") : [pathChannel]);
  const events = readNames("events", query.getAll("events"));
  return channels || events ? { channels, events } : undefined;
}

function readNames(field: string, values: readonly string[]): readonly string[] | undefined {
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
