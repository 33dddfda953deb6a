/** Durations, sizes, counts and addresses as people write them. */

const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const sizeUnits: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** Parses `500ms`, `1.5h` or a plain number as milliseconds; `undefined` for anything else. */
export function parseDuration(value: unknown): number | undefined {
  return parseQuantity(value, durationUnits);
}

/** Parses `256KiB`, `10MB` or a plain number as bytes; `undefined` for anything else. */
export function parseSize(value: unknown): number | undefined {
  return parseQuantity(value, sizeUnits);
}

/** Parses a whole number, or a text such as `1_000_000`; `undefined` for anything else. */
export function parseCount(value: unknown): number | undefined {
  return parseQuantity(value, {});
}

/** Parses `20%`, or a number from 0 to 1, as a part of a whole; `undefined` for anything else. */
export function parsePercentage(value: unknown): number | undefined {
  const [, number = "", percent] = /^(\d+(?:\.\d+)?) ?(%?)$/.exec(String(value).trim()) ?? [];
  const part = Number(number) / (percent === "%" ? 100 : 1);
  return number !== "" && part <= 1 ? part : undefined;
}

/** A part of a whole as a percentage: 0.2 is `20%`. */
export function formatPercentage(part: number): string {
  return `${Number((part * 100).toPrecision(12))}%`;
}

/** The shortest exact text: 90000 is `90s`, 86400000 is `1d`. */
export function formatDuration(ms: number): string {
  return formatQuantity(ms, [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1_000],
    ["ms", 1],
  ]);
}

/** The shortest exact text in powers of 1024: 1048576 is `1MiB`. */
export function formatSize(bytes: number): string {
  return formatQuantity(bytes, [
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
    ["B", 1],
  ]);
}

function parseQuantity(value: unknown, units: Readonly<Record<string, number>>): number | undefined {
  if (typeof value === "number") return whole(value);
  if (typeof value !== "string") return undefined;
  const match = /^(\d[\d_]*(?:\.\d+)?) ?([a-z]*)$/i.exec(value.trim());
  if (!match) return undefined;
  const factor = match[2] === "" ? 1 : units[match[2]!.toLowerCase()];
  return factor === undefined ? undefined : whole(Number(match[1]!.replaceAll("_", "")) * factor);
}

function whole(value: number): number | undefined {
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function formatQuantity(value: number, units: readonly (readonly [string, number])[]): string {
  const [name, factor] = units.find(([, size]) => value >= size && value % size === 0) ?? units.at(-1)!;
  return `${value / factor}${name}`;
}

/** A host and a port to listen on. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const addressPattern = /^(?:(?<host>[a-z0-9.-]+)|\[(?<ipv6>[0-9a-f:.]+)\])?:(?<port>\d{1,5})$/i;

/**
 * Reads `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, `:8080` (every IPv4 address) or a bare port (on 127.0.0.1);
 * `undefined` for anything else.
 */
export function parseListen(value: unknown): ListenAddress | undefined {
  if (typeof value === "number") return toAddress("127.0.0.1", value);
  if (typeof value !== "string") return undefined;
  if (/^\d{1,5}$/.test(value)) return toAddress("127.0.0.1", Number(value));
  const groups = addressPattern.exec(value)?.groups;
  return groups && toAddress(groups["host"] ?? groups["ipv6"] ?? "0.0.0.0", Number(groups["port"]));
}

/** The text form of an address, which {@link parseListen} can read. */
export function formatListen({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function toAddress(host: string, port: number): ListenAddress | undefined {
  return Number.isInteger(port) && port >= 0 && port <= 65_535 ? { host, port } : undefined;
}
