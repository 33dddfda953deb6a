const mapped = /^::ffff:(?=\d+\.)/i;

/**
 * What of an address stands for one client: all of an IPv4 address, also where it is written as `::ffff:192.0.2.1`, and of IPv6 the
 * network of 64 bits. A single machine has all addresses of such a network, and could come from another one each time.
 */
export function addressKey(address: string): string {
  if (!address.includes(":")) return address;
  if (mapped.test(address)) return address.replace(mapped, "");
  const [left = "", right] = address.replace(/%.*$/, "").split("::");
  const [front, back] = [groupsOf(left), groupsOf(right ?? "")];
  // An address without "::" has all its eight groups.
  const zeros = Math.max(0, 8 - front.length - back.length - (address.includes(".") ? 1 : 0));
  const groups = [...front, ...Array.from<string>({ length: zeros }).fill("0"), ...back];
  return `${groups.slice(0, 4).join(":")}::/64`;
}

function groupsOf(text: string): string[] {
  return text === "" ? [] : text.split(":").map((group) => group.toLowerCase().replace(/^0+(?=.)/, ""));
}
