/** A host and a port to listen on. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const pattern = /^(?:(?<host>[a-z0-9.-]+)|\[(?<ipv6>[0-9a-f:.]+)\])?:(?<port>\d{1,5})$/i;

/**
 * Reads `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, `:8080` (every IPv4 address) or a bare port (on 127.0.0.1);
 * `undefined` for anything else.
 */
export function parseListen(value: unknown): ListenAddress | undefined {
  if (typeof value === "number") return address("127.0.0.1", value);
  if (typeof value !== "string") return undefined;
  if (/^\d{1,5}$/.test(value)) return address("127.0.0.1", Number(value));
  const groups = pattern.exec(value)?.groups;
  return groups && address(groups["host"] ?? groups["ipv6"] ?? "0.0.0.0", Number(groups["port"]));
}

/** The text that {@link parseListen} reads back. */
export function formatListen({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function address(host: string, port: number): ListenAddress | undefined {
  return Number.isInteger(port) && port >= 0 && port <= 65_535 ? { host, port } : undefined;
}
