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
