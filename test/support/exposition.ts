/** A strict parser of Prometheus' text format 0.0.4. It throws at violations of the format or its conventions. */

export interface ExposedSample {
  /** With `_bucket`, `_sum` or `_count` for a histogram. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ExposedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: readonly ExposedSample[];
}

type Family = { -readonly [K in keyof ExposedMetric]: ExposedMetric[K] } & { samples: ExposedSample[] };

/** Parses a complete response. */
export function parseExposition(text: string): ReadonlyMap<string, ExposedMetric> {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let current: Family | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    if (line === "") continue;
    if (line.startsWith("#")) current = readComment(line, families) ?? current;
    else {
      if (!current?.type) throw new Error(`a sample before its HELP and TYPE: ${line}`);
      const sample = readSample(line, current);
      const pairs = Object.entries(sample.labels).map(([label, value]) => JSON.stringify([label, value]));
      const identity = [sample.name, ...pairs.toSorted()].join();
      if (seen.has(identity)) throw new Error(`twice: ${line}`);
      seen.add(identity);
      current.samples.push(sample);
    }
  }
  for (const family of families.values()) check(family);
  return families;
}

/** The value of the only sample with these labels, which may be a subset of its labels. */
export function valueOf(
  metrics: ReadonlyMap<string, ExposedMetric>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const family = metrics.get(name) ?? metrics.get(name.replace(/_(?:bucket|sum|count)$/, ""));
  const found = family?.samples.filter(
    (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  if (found && found.length > 1) throw new Error(`${name} has several samples with ${JSON.stringify(labels)}`);
  return found?.[0]?.value;
}

function readComment(line: string, families: Map<string, Family>): Family | undefined {
  const [, kind, name = "", rest = ""] = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line) ?? [];
  if (kind === "HELP") {
    if (families.has(name)) throw new Error(`two of the name ${name}`);
    const family: Family = { name, help: unescape(rest), type: "", samples: [] };
    families.set(name, family);
    return family;
  }
  const family = families.get(name);
  if (kind !== "TYPE" || !family || family.type || family.samples.length > 0) throw new Error(`out of place: ${line}`);
  if (!["counter", "gauge", "histogram"].includes(rest)) throw new Error(`no type: ${line}`);
  family.type = rest;
  return undefined;
}

const sampleLine =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\["\\n])*"(?:,(?=[^}])|(?=\})))*)\})? (\S+)$/;

function readSample(line: string, { name, type }: Family): ExposedSample {
  const [, sampleName = "", pairs = "", text = ""] = sampleLine.exec(line) ?? [];
  const names = type === "histogram" ? ["_bucket", "_sum", "_count"].map((suffix) => name + suffix) : [name];
  if (!names.includes(sampleName)) throw new Error(`no sample of ${name}: ${line}`);
  const labels = Array.from(pairs.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g), ([, key = "", value = ""]) => {
    return [key, unescape(value)] as const;
  });
  const unique = Object.fromEntries(labels);
  if (Object.keys(unique).length !== labels.length) throw new Error(`a label twice: ${line}`);
  return { name: sampleName, labels: unique, value: readNumber(text) };
}

function readNumber(text: string): number {
  if (/^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) return Number(text);
  throw new Error(`no finite number: ${text}`);
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
}

function check({ name, type, samples }: Family): void {
  if (type === "") throw new Error(`${name} has no TYPE`);
  if ((type === "counter") !== name.endsWith("_total")) throw new Error(`${name} is no name of a ${type}`);
  if (type === "counter" && samples.some(({ value }) => value < 0)) throw new Error(`${name} is negative`);
  if (type === "histogram") checkHistogram(name, samples);
}

/** Checks that buckets are cumulative and in order, and end with one that equals the count. */
function checkHistogram(name: string, samples: readonly ExposedSample[]): void {
  const series = new Map<string, ExposedSample[]>();
  for (const sample of samples) {
    const key = JSON.stringify({ ...sample.labels, le: undefined });
    series.set(key, [...(series.get(key) ?? []), sample]);
  }
  for (const [labels, all] of series) {
    const buckets = all.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels: { le = "" } }) => (le === "+Inf" ? Infinity : readNumber(le)));
    const values = buckets.map(({ value }) => value);
    const ascending = (list: number[]): boolean => list.every((value, i) => i === 0 || value >= list[i - 1]!);
    if (!ascending(bounds) || !ascending(values)) throw new Error(`${name}${labels}: buckets are not in order`);
    const count = all.filter((sample) => sample.name === `${name}_count`);
    const sum = all.filter((sample) => sample.name === `${name}_sum`);
    if (count.length !== 1 || sum.length !== 1) throw new Error(`${name}${labels} has not one count and one sum`);
    if (bounds.at(-1) !== Infinity || values.at(-1) !== count[0]!.value) {
      throw new Error(`${name}${labels}: the last bucket is not the count`);
    }
  }
}
