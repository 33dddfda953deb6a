/** What was found about one thing. */
export type Outcome = "ok" | "warn" | "fail";

/** The result of one check, as people and programs read it. Holds no secret. */
export interface Check {
  /** Stable, in lower case with hyphens. */
  readonly name: string;
  /** `fail`: it does not work. `warn`: it works now, and may not later or not for all. */
  readonly outcome: Outcome;
  /** What was seen. */
  readonly found: string;
  /** What to do about it; `null` where nothing is to be done. */
  readonly advice: string | null;
}

export function ok(name: string, found: string): Check {
  return { name, outcome: "ok", found, advice: null };
}

export function warn(name: string, found: string, advice: string): Check {
  return { name, outcome: "warn", found, advice };
}

export function fail(name: string, found: string, advice: string): Check {
  return { name, outcome: "fail", found, advice };
}

/** The longest name is that of a kernel setting. */
const nameWidth = 28;

/** One line: `warn  idle  what was found; what to do`. */
export function formatCheck({ name, outcome, found, advice }: Check): string {
  const text = advice === null ? found : `${found}; ${advice}`;
  return `${outcome.padEnd(4)}  ${name.padEnd(nameWidth)}  ${printable(text)}`;
}

/** What was found may come from outside: nothing in it breaks the line, or is obeyed by a terminal. */
function printable(text: string): string {
  return text.replaceAll(/\s*[\u0000-\u001f\u007f-\u009f]+\s*/g, " ");
}

/** A measured time, rounded for people: `850 ms`, `12.4 s`. */
export function readableTime(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
}

/** A size, rounded for people: `900 bytes`, `1.5 GiB`. */
export function readableSize(bytes: number): string {
  const step = bytes < 2 ** 10 ? 0 : bytes < 2 ** 20 ? 1 : bytes < 2 ** 30 ? 2 : 3;
  const unit = ["bytes", "KiB", "MiB", "GiB"][step];
  return `${Math.round((bytes / 2 ** (10 * step)) * 10) / 10} ${unit}`;
}
