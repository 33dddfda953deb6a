/** `uri-host [ ":" port ]` (RFC 9112 §3.2, RFC 3986 §3.2.2): a name or IPv4 address, or an IP literal in brackets. */
const host = /^(?:\[[0-9a-z:.%]+\]|(?:[\w\-.~!$&'()*+,;=]|%[0-9a-f]{2})*)(?::\d*)?$/i;

/** Whether a `Host` header has a valid value. An empty one is valid: its sender knows no name (RFC 9112 §3.2). */
export function isHost(value: string): boolean {
  return host.test(value);
}
