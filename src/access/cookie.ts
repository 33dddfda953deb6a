/** The value of the first cookie with this name in a `Cookie` header; `undefined` if it is absent or empty. */
export function readCookie(header: string | undefined, name: string): string | undefined {
  // A deleted cookie may leave an empty value.
  return header
    ?.split(";")
    .map(readPair)
    .find(([found, value]) => found === name && value !== "")?.[1];
}

function readPair(pair: string): [name: string, value: string] {
  const at = pair.indexOf("=");
  const value = pair.slice(at + 1).trim();
  return [pair.slice(0, Math.max(at, 0)).trim(), /^"(.*)"$/s.exec(value)?.[1] ?? value];
}
