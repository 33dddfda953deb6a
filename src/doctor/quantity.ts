/** Quantities as people read them: rounded, for they were measured. */

/** `850 ms`, `12.4 s`. */
export function readableTime(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}

/** `900 bytes`, `1.5 GiB`. */
export function readableSize(bytes: number): string {
  const step = bytes < 2 ** 10 ? 0 : bytes < 2 ** 20 ? 1 : bytes < 2 ** 30 ? 2 : 3;
  const unit = ["bytes", "KiB", "MiB", "GiB"][step];
  return `${Math.round((bytes / 2 ** (10 * step)) * 10) / 10} ${unit}`;
}
