import type { Dispatcher } from "undici";

/** Header fields as texts: names and values in turn. */
export function fieldsOf(raw: Dispatcher.DispatchController["rawHeaders"]): string[] {
  if (!Array.isArray(raw))
    return Object.entries(raw ?? {}).flatMap(([name, value]) => [value ?? []].flat().flatMap((item) => [name, item]));
  return typeof raw[0] === "string"
    ? (raw as string[])
    : raw.map((item: Buffer | string) => (typeof item === "string" ? item : item.toString("latin1")));
}

/** The trailers of a response that may be passed on. Of repeated ones the last. */
export function trailersOf({ rawTrailers }: Dispatcher.DispatchController): Record<string, string> | undefined {
  const texts = fieldsOf(rawTrailers);
  if (texts.length === 0) return undefined;
  const trailers: Record<string, string> = {};
  for (let i = 0; i < texts.length; i += 2) if (!unfitTrailer.test(texts[i]!)) trailers[texts[i]!] = texts[i + 1]!;
  return trailers;
}

/** RFC 9110 §6.5.1: framing, routing and what has to be known before the body. */
const unfitTrailer =
  /^(transfer-encoding|content-length|host|connection|trailer|set-cookie|authorization|content-type|content-encoding|cache-control)$/i;
