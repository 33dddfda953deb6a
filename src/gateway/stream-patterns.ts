import { matchesGlob } from "../util/glob.ts";
import type { GatewayOptions } from "./options.ts";

/** Whether a text can be the name of a stream. */
export function isStreamName(text: string): boolean {
  return /^[a-z0-9][a-z0-9_-]{0,63}$/i.test(text);
}

/**
 * The pattern that applies to a name: of those that match it, the one with the most characters other than `*`, and of
 * several such ones the first. `undefined` if none matches, if no stream can have the name, or if one is configured with it.
 */
export function patternOf(
  name: string,
  { streams, patterns }: Pick<GatewayOptions, "streams" | "patterns">,
): string | undefined {
  if (!isStreamName(name) || Object.hasOwn(streams, name)) return undefined;
  let found: string | undefined;
  for (const pattern of Object.keys(patterns))
    if (matchesGlob(pattern, name) && (found === undefined || precision(pattern) > precision(found))) found = pattern;
  return found;
}

/** The beginning that all names of a pattern have in common. */
export function prefixOf(pattern: string): string {
  return pattern.slice(0, pattern.indexOf("*"));
}

function precision(pattern: string): number {
  return pattern.replaceAll("*", "").length;
}
