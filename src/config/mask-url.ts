/** Shows URLs without their credentials. */

/** Replaces a value that is not shown. */
export const mask = "***";

/** The URL with its user info and the values of its query masked. A parameter without a value is masked entirely. */
export function maskUrl(text: string): string {
  const url = new URL(text);
  const user = url.username || url.password ? `${mask}@` : "";
  const names = [...url.searchParams].map(([name, value]) =>
    value === "" ? mask : `${encodeURIComponent(name)}=${mask}`,
  );
  return `${url.protocol}//${user}${url.host}${url.pathname}${names.length > 0 ? `?${names.join("&")}` : ""}`;
}

/**
 * Describes a value that should be a URL: an address without a scheme as {@link maskUrl} shows it, else only its kind.
 */
export function describeUrl(text: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1];
  if (scheme !== undefined) return `a URL that begins with ${scheme}:// (not shown)`;
  if (!address.test(text) || !URL.canParse(`https://${text}`)) return "a string (not shown)";
  const shown = maskUrl(`https://${text}`).slice("https://".length);
  return `${JSON.stringify(shown)}, which has no scheme; write ${/^(localhost|127\.)/.test(shown) ? "http" : "https"}://${shown}`;
}

/** An optional user and a host: a name with dots, an IPv4 address, or a name with a port. Does not match an API key. */
const address =
  /^(?:[^@/?#\s]*@)?(?:localhost|(?:[a-z0-9-]+\.)+(?:[a-z]{2,24}|\d{1,3})|[a-z0-9-]+(?=:\d))(?::\d{1,5})?(?:[/?#]|$)/;
