/**
 * IP addresses as clients, proxies and configurations write them. IPv4-mapped IPv6 addresses count as IPv4 addresses.
 */
import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** `undefined` for anything but an IPv4 address of four decimal parts or an IPv6 address. A zone id is dropped. */
function parse(text: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  // ipaddr.js reads the deprecated `::192.0.2.1` (RFC 4291 section 2.5.5.1) as IPv4-mapped, but not `0::192.0.2.1`.
  const plain = text.replace(/%.*$/, "").replace(/^::(?=\d+\.)/, "0::");
  return ipaddr.IPv6.isValid(plain) ? ipaddr.process(plain) : undefined;
}

const canonicalIpv4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/**
 * The canonical text of an address (RFC 5952); `undefined` for anything else. A port, which proxies may append, is
 * dropped.
 */
export function normalizeAddress(text: string): string | undefined {
  // What a socket reports is canonical, and most often IPv4.
  if (canonicalIpv4.test(text)) return text;
  const [, address = text] = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text) ?? [];
  return parse(address)?.toString();
}

/**
 * The key by which limits count a client's address: an IPv4 address itself, or the /64 network of an IPv6 address,
 * since one machine may own all addresses of such a network and can use a different one for each request.
 */
export function addressKey(address: string): string {
  if (!address.includes(":")) return address;
  const parsed = parse(address);
  if (!parsed) return address;
  if (parsed.kind() === "ipv4") return parsed.toString();
  const groups = (parsed as ipaddr.IPv6).parts.slice(0, 4);
  return `${groups.map((group) => group.toString(16)).join(":")}::/64`;
}

/** Whether a host name or address can be reached from this machine only (RFC 6761 section 6.3, RFC 1122). */
export function isLoopback(host: string): boolean {
  // Without parsing, because this is asked for each request.
  if (canonicalIpv4.test(host)) return host.startsWith("127.");
  return host.toLowerCase() === "localhost" || parse(host)?.range() === "loopback";
}

/**
 * Whether an address is a public unicast address: not of a private network or of this machine, not reserved, and not
 * one that stands for an IPv4 address in a transition mechanism (IANA special-purpose address registries).
 */
export function isPublicAddress(address: string): boolean {
  const parsed = parse(address);
  if (parsed?.range() !== "unicast") return false;
  // Global unicast addresses are those of 2000::/3 (RFC 4291 section 2.4); `::7f00:1` may reach 127.0.0.1.
  return parsed.kind() === "ipv4" || (parsed as ipaddr.IPv6).parts[0]! >> 13 === 1;
}

/** Whether the text is an IP address or a network in CIDR notation. */
export function isNetwork(text: string): boolean {
  return parseNetwork(text) !== undefined;
}

/** Makes a function that tests whether an address is in one of these networks, which may be single addresses. */
export function createNetworkMatcher(networks: readonly string[]): (address: string) => boolean {
  const ranges = networks.map(parseNetwork).filter((range) => range !== undefined);
  if (ranges.length === 0) return () => false;
  return (text) => {
    const address = parse(text);
    return address !== undefined && ranges.some((range) => range[0].kind() === address.kind() && address.match(range));
  };
}

function parseNetwork(text: string): [Address, number] | undefined {
  const [base = "", prefix, rest] = text.split("/");
  const address = parse(base);
  if (!address || rest !== undefined || !/^\d{1,3}$/.test(prefix ?? "0")) return undefined;
  // The prefix length of an IPv4-mapped IPv6 network includes the 96 bits before the IPv4 address.
  const [skipped, longest] = address.kind() === "ipv6" ? [0, 128] : base.includes(":") ? [96, 32] : [0, 32];
  const length = prefix === undefined ? longest : Number(prefix) - skipped;
  return length >= 0 && length <= longest ? [address, length] : undefined;
}
