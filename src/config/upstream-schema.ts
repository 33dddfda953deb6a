import { z } from "zod";
import type { StreamUpstreamOptions } from "../gateway/options.ts";
import type { UpstreamHeaders, UpstreamTarget } from "../upstream/upstream.ts";
import type { Duration, UpstreamConfig } from "./config.ts";
import { count, duration, httpUrl, object, size, text, value, type Optional } from "./fields.ts";
import { pem } from "./pem.ts";

/** A length of time that a timeout of 0 would make useless. */
const timeout = (fallback: string): Optional<number, Duration> => duration(fallback, 1);

const target = z.union([httpUrl, object({ url: httpUrl, name: text("a name", isLabel).optional() })], {
  error: "a URL or { url, name }",
});

const headers = z.union(
  [
    z.custom<Extract<UpstreamHeaders, () => unknown>>((input) => typeof input === "function"),
    z.record(
      text("a header name", (name) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name)),
      text("text without line breaks", isHeaderValue),
    ),
  ],
  { error: "header names with their values" },
);

/** YAML reads a `0` as a number. */
const initialId = value<string | number, string>("a value to send while no id is stored, such as $ or 0", (input) => {
  const id = typeof input === "number" ? String(input) : input;
  return typeof id === "string" && isLabel(id) ? id : undefined;
});

const shape = object({
  url: httpUrl.optional(),
  urls: z.array(target, "a list of URLs").min(1, "at least one URL").optional(),
  balance: z.enum(["failover", "round-robin"]).default("failover"),
  coolDown: duration("30s"),
  method: value<string, string>(
    "an HTTP method that a stream can answer, such as GET, POST or REPORT",
    toMethod,
  ).optional(),
  body: z.string().optional(),
  headers: headers.default({}),
  resume: z
    .union(
      [z.literal("header"), object({ query: text("a parameter's name", isLabel), initial: initialId.optional() })],
      {
        error: "header or { query: <parameter>, initial: <value> }",
      },
    )
    .default("header"),
  connect: z.enum(["always", "on-demand"]).default("always"),
  linger: duration("30s"),
  timeouts: object({ connect: timeout("10s"), headers: timeout("30s"), idle: timeout("90s") }).prefault({}),
  backoff: object({ min: timeout("500ms"), max: timeout("30s"), healthy: duration("10s") }).prefault({}),
  redirects: count(5, 20),
  maxEventBytes: size("16MiB"),
  tls: object({
    ca: pem.optional(),
    cert: pem.optional(),
    key: pem.optional(),
    servername: text("a host name", isLabel).optional(),
    rejectUnauthorized: z.boolean().optional(),
  }).optional(),
  proxy: httpUrl.optional(),
});

type Parsed = z.output<typeof shape>;

/** The `upstream` section: checks it, fills in its defaults, reads its PEM files. */
export const upstreamSchema: z.ZodType<StreamUpstreamOptions, UpstreamConfig> = shape
  .superRefine((parsed, context) => {
    for (const [path, message] of contradictions(parsed)) context.addIssue({ code: "custom", path, message });
  })
  .transform(({ url, urls, redirects, method, ...rest }) => ({
    ...rest,
    targets: toTargets(url === undefined ? (urls ?? []) : [url]),
    method: method ?? (rest.body === undefined ? "GET" : "POST"),
    body: rest.body,
    maxRedirects: redirects,
    tls: rest.tls,
    proxy: rest.proxy,
  }));

/** Options that are right alone but not together: the key at fault and what was expected of it. */
function* contradictions(parsed: Parsed): Generator<[path: string[], expected: string]> {
  const { url, urls, backoff, tls } = parsed;
  if (url === undefined && urls === undefined) yield [["url"], "url or urls"];
  if (url !== undefined && urls !== undefined) yield [["urls"], "either url or urls, not both"];
  if (parsed.body !== undefined && parsed.method === "GET")
    yield [["method"], "POST or another method with a body, because there is a body"];
  if (backoff.max < backoff.min) yield [["backoff", "max"], "no less than backoff.min"];
  if ((tls?.cert === undefined) !== (tls?.key === undefined)) yield [["tls"], "cert and key together"];
  const names = toTargets(urls ?? []).map(({ name }) => name);
  if (new Set(names).size < names.length) yield [["urls"], "names that differ"];
}

function toTargets(urls: NonNullable<Parsed["urls"]>): UpstreamTarget[] {
  return urls.map((entry, index) => {
    const { url, name } = typeof entry === "string" ? { url: entry, name: undefined } : entry;
    return { url, name: name ?? `target-${index + 1}` };
  });
}

/** Upper-cased where fetch does so (WHATWG Fetch, "normalize a method"), and for the others of RFC 9110 and REPORT; else as it is. */
const normalized = /^(delete|get|head|options|patch|post|put|connect|trace|report)$/i;

/** Without the methods whose response has no content, or no content of the resource (RFC 9110 §9.3). */
const streamless: ReadonlySet<string> = new Set(["CONNECT", "HEAD", "TRACE"]);

/** Any other token is a method (RFC 9110 §9.1). */
function toMethod(input: unknown): string | undefined {
  if (typeof input !== "string" || !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/.test(input)) return undefined;
  const method = normalized.test(input) ? input.toUpperCase() : input;
  return streamless.has(method) ? undefined : method;
}

function isLabel(input: string): boolean {
  return /^[\x21-\x7e]{1,128}$/.test(input);
}

function isHeaderValue(input: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(input);
}
