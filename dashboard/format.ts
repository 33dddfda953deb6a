/** Numbers and times as text. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** A number with groups of digits. */
export function count(value: number): string {
  return whole.format(value);
}

/** A number with at most one decimal, and with k, M or B if it is large. */
export function compact(value: number): string {
  return short.format(value);
}

/** A number of bytes with a binary unit. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(Math.floor(Math.log2(Math.max(value, 1)) / 10), units.length - 1);
  return `${short.format(value / 1024 ** power)} ${units[power]}`;
}

/** A duration with its largest unit, such as `3 min`. */
export function duration(ms: number): string {
  const units = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "min"],
    [1000, "s"],
  ] as const;
  const [size, unit] = units.find(([each]) => ms >= each) ?? [1, "ms"];
  return `${Math.floor(Math.max(ms, 0) / size)} ${unit}`;
}

/** How long ago a time in ISO 8601 was; a dash for `null`. */
export function ago(time: string | null): string {
  return time === null ? "–" : `${duration(Date.now() - Date.parse(time))} ago`;
}

/** Which part of a limit is used; `undefined` without a limit. */
export function share(value: number, limit: number | null): number | undefined {
  return limit === null ? undefined : value / limit;
}

/** How long it is until a time in ISO 8601. */
export function until(time: string): string {
  return `in ${duration(Date.parse(time) - Date.now())}`;
}

/** The text in the order of a list: `1 stream`, `2 streams`. */
export function plural(number: number, one: string, several = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : several}`;
}
