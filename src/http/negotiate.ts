import { SpillwayError } from "../errors.ts";

/** The representations of a stream, the default first. */
export const representations = {
  sse: "text/event-stream",
  ndjson: "application/x-ndjson",
  json: "application/json",
} as const;

export type Representation = keyof typeof representations;

/**
 * Chooses a representation by the `Accept` header (RFC 9110 §12.5.1): the highest quality first, then the more specific
 * range, then the order of {@link representations}.
 * @throws {SpillwayError} `not-acceptable`
 */
export function negotiate(accept: string | undefined): Representation {
  // The usual case, without parsing.
  if (!accept || accept === representations.sse) return "sse";
  const ranges = accept.split(",").map(parseRange);
  let best: { name: Representation; quality: number; precision: number } | undefined;
  for (const [name, type] of Object.entries(representations) as Array<[Representation, string]>) {
    const fitting = ranges
      .filter((range) => fits(range.type, type))
      .toSorted((a, b) => precision(b.type) - precision(a.type));
    const range = fitting[0];
    if (!range || range.quality === 0) continue;
    const candidate = { name, quality: range.quality, precision: precision(range.type) };
    const better =
      !best ||
      candidate.quality > best.quality ||
      (candidate.quality === best.quality && candidate.precision > best.precision);
    if (better) best = candidate;
  }
  if (best) return best.name;
  throw new SpillwayError("not-acceptable", undefined, {
    field: "Accept",
    expected: Object.values(representations).join(", "),
  });
}

function parseRange(text: string): { type: string; quality: number } {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const weight = parameters.find((parameter) => parameter.startsWith("q="));
  const quality = weight === undefined ? 1 : Number(weight.slice(2));
  return {
    type: type === "application/ndjson" ? representations.ndjson : type,
    quality: Number.isNaN(quality) ? 0 : quality,
  };
}

function fits(range: string, type: string): boolean {
  return range === type || range === "*/*" || range === type.replace(/\/.*/, "/*");
}

function precision(range: string): number {
  return range === "*/*" ? 0 : range.endsWith("/*") ? 1 : 2;
}
