/** IP addresses as clients, proxies and configurations write them. An IPv4-mapped IPv6 address counts as its IPv4 address. */
import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** `undefined` for anything but an IPv4 address of four decimal parts or an IPv6 address. A zone id is dropped. */
function parse(text: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  // ipaddr.js takes the deprecated `::192.0.2.1` (RFC 4291 section 2.5.5.1) for an IPv4-mapped address; with the zero it does not.
  const plain = text.replace(/%.*$/, "").replace(/^::(?=\d+\.)/, "0::");
  return ipaddr.IPv6.isValid(plain) ? ipaddr.process(plain) : undefined;
}

/** The canonical text of an address (RFC 5952); `undefined` for anything else. A port, which proxies may append, is dropped. */
export function normalizeAddress(text: string): string | undefined {
  const [, address = text] = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text) ?? [];
  return parse(address)?.toString();
}

/**
 * The key that limits count a client's address by: an IPv4 address itself, and the /64 network of an IPv6 address, since one machine
 * owns all addresses of such a network and can send each request from another one.
 */
export function addressKey(address: string): string {
  if (!address.includes(":")) return address;
  const parsed = parse(address);
  if (!parsed) return address;
  if (parsed.kind() === "ipv4") return parsed.toString();
  const groups = (parsed as ipaddr.IPv6).parts.slice(0, 4);
  return `${groups.map((group) => group.toString(16)).join(":")}::/64`;
}

/** Whether a host, given as a name or an address, can be reached from this machine only (RFC 6761 section 6.3, RFC 1122). */
export function isLoopback(host: string): boolean {
  return host.toLowerCase() === "localhost" || parse(host)?.range() === "loopback";
}

/** Whether the text is an IP address, or a network in CIDR notation. */
export function isNetwork(text: string): boolean {
  return parseNetwork(text) !== undefined;
}

/** Makes a test for addresses that are in one of these networks; a network may be a single address. */
export function createNetworkMatcher(networks: readonly string[]): (address: string) => boolean {
  const ranges = networks.map(parseNetwork).filter((range) => range !== undefined);
  return (text) => {
    const address = parse(text);
    return address !== undefined && ranges.some((range) => range[0].kind() === address.kind() && address.match(range));
  };
}

function parseNetwork(text: string): [Address, number] | undefined {
  const [base = "", prefix, rest] = text.split("/");
  const address = parse(base);
  if (!address || rest !== undefined || !/^\d{1,3}$/.test(prefix ?? "0")) return undefined;
  // The prefix of a network that is written as IPv4-mapped IPv6 covers the 96 bits before the IPv4 address.
  const [skipped, longest] = address.kind() === "ipv6" ? [0, 128] : base.includes(":") ? [96, 32] : [0, 32];
  const length = prefix === undefined ? longest : Number(prefix) - skipped;
  return length >= 0 && length <= longest ? [address, length] : undefined;
}
