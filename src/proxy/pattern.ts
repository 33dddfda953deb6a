/**
 * The path patterns of routes: `*` for one segment, `**` at the end for any rest, also none. `/api/**` matches `/api`,
 * `/api/` and `/api/a/b`.
 */

const segment = String.raw`(?:[A-Za-z0-9\-._~!$&'()+,;=:@]|%[0-9A-Fa-f]{2})+`;
const pattern = new RegExp(String.raw`^/$|^(?:/(?:${segment}|\*))*(?:/\*\*|/(?:${segment}|\*)/?)$`);

/** Whether a text is the pattern of a route. */
export function isPattern(text: string): boolean {
  return pattern.test(text);
}

/** Finds what belongs to the most specific pattern that matches a path. */
export interface PatternTable<T> {
  find(path: string): T | undefined;
}

/** Of two patterns that match a path, the more specific one has the longer part before its first asterisk, and then no `**`. */
export function createPatternTable<T>(entries: Readonly<Record<string, T>>): PatternTable<T> {
  const exact = new Map<string, T>();
  const rest: { readonly prefix: string; readonly matches: RegExp; readonly value: T; readonly open: boolean }[] = [];
  for (const [text, value] of Object.entries(entries)) {
    const star = text.indexOf("*");
    if (star === -1) exact.set(text, value);
    else rest.push({ prefix: text.slice(0, star), matches: toExpression(text), value, open: text.endsWith("**") });
  }
  rest.sort((a, b) => b.prefix.length - a.prefix.length || Number(a.open) - Number(b.open));
  return {
    find: (path) =>
      exact.get(path) ??
      rest.find(({ prefix, matches }) => path.startsWith(prefix.slice(0, -1)) && matches.test(path))?.value,
  };
}

function toExpression(text: string): RegExp {
  const escaped = text
    .replace(/\/\*\*$/, "")
    .replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll("*", "[^/]+");
  return new RegExp(`^${escaped}${text.endsWith("/**") ? "(?:/.*)?" : ""}$`);
}
