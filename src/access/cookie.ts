/** The value of a cookie out of the `Cookie` header, the first of that name; absent where there is none, or it is empty. */
export function readCookie(header: string | undefined, name: string): string | undefined {
  // An empty value is what is left of a cookie that was taken back.
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
