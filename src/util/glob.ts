/**
 * Whether a text matches a pattern, in which `*` matches zero or more characters and everything else matches itself.
 * Takes time linear in the length of both, times at most the distance between two asterisks.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  if (!isGlob(pattern)) return pattern === text;
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop() ?? "";
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  // Each part is matched as early as possible: if that leaves no room for the following parts, no other match does.
  let from = first.length;
  const end = text.length - last.length;
  for (const part of rest) {
    const at = text.indexOf(part, from);
    if (at === -1 || at + part.length > end) return false;
    from = at + part.length;
  }
  return true;
}

/** Whether a name is a pattern. */
export function isGlob(name: string): boolean {
  return name.includes("*");
}
