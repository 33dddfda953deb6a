/** The `upstream` section of a route. */
import { z } from "zod";
import type { HashKey, RouteUpstreamOptions, TargetOptions } from "../proxy/options.ts";
import { isToken } from "../util/http-field.ts";
import type { RouteUpstreamConfig } from "./config.ts";
import {
  bound,
  convert,
  count,
  duration,
  invalid,
  object,
  percentage,
  positive,
  text,
  value,
  isLabel,
} from "./fields.ts";
import { defaultName, serverContradictions, upstreamTls } from "./upstream.ts";

const urlExpected = "an http:// or https:// URL without user, password, query and fragment";

const targetUrl = text(urlExpected, (input) => /^https?:\/\/[^?#@]+$/i.test(input) && URL.canParse(input), {
  secret: "url",
});

const target = z
  .union(
    [
      object({
        url: targetUrl.describe("http or https URL of a server; its path is put before that of each request."),
        name: text("a name", isLabel).optional().describe("Name in logs, metrics and status. Default: `target-<n>`."),
        weight: count(1, 1000).describe(
          "Its share of the requests, compared with the other targets. `0`: only used if no other target can be.",
        ),
      }).meta({ title: "RouteTargetConfig", description: "One server behind a route." }),
      targetUrl,
    ],
    { error: `${urlExpected}, or { url, name, weight }` },
  )
  .meta({ secret: "url" });

const hash = value<string, HashKey>({
  expected: "subject, address, header:<name> or cookie:<name>",
  type: "string",
  parse(input) {
    if (input === "subject" || input === "address") return input;
    const [, kind, name = ""] = /^(header|cookie):(.+)$/.exec(typeof input === "string" ? input : "") ?? [];
    if (kind === undefined || !isToken(name)) return invalid;
    return kind === "header" ? `header:${name.toLowerCase()}` : `cookie:${name}`;
  },
});

const balance = z.union([z.enum(["failover", "round-robin", "least-requests"]), object({ hash })], {
  error: "failover, round-robin, least-requests or { hash: <what> }",
});

const health = object({
  path: text("a path such as /healthz", (path) => /^\/[\x21-\x7e]*$/.test(path) && !path.includes("#")).describe(
    "Path, and query, that is requested at every target, without the path of the target's URL; a status from 200 to 399 is good. Without `health`, targets are not checked.",
  ),
  every: duration("5s", 10).describe("Time between two checks of a target, up to a tenth shorter or longer."),
  timeout: duration("1s", 1).describe("How long an answer may take."),
  up: positive(2, 1000).describe("Good answers in a row after which a target is used again."),
  down: positive(3, 1000).describe("Bad answers in a row after which a target is no longer used."),
}).meta({ title: "RouteHealthConfig", description: "Regular requests that check whether each target can be used." });

const eject = object({
  errors: bound("Count", "5").describe(
    "Requests in a row without an answer, with a broken one, or with 502, 503 or 504, after which a target gets no requests for some time, if there are several targets. `none` disables this.",
  ),
  for: duration("30s", 1).describe(
    "Duration of the first ejection. Each further one is longer by this duration, up to ten times as long.",
  ),
  most: percentage("50%").describe("Maximum part of the targets that is ejected at a time."),
}).meta({ title: "RouteEjectConfig", description: "Takes a target out after failed requests." });

const queue = object({
  length: count(100, 1_000_000).describe(
    "Maximum number of requests that wait for a target with `connections` requests; further ones get 503.",
  ),
  for: duration("1s").describe("How long a request waits before it gets 503."),
}).meta({ title: "RouteQueueConfig", description: "Requests that wait for a target at its limit of connections." });

const retry = object({
  attempts: count(1, 10).describe("Maximum number of further attempts for one request."),
  on: z
    .array(z.literal(["refused", "unsent", 502, 503, 504]), "a list of refused, unsent, 502, 503 and 504")
    .default(["refused", "unsent"])
    .describe(
      "What is tried again: `refused`, a connection that could not be made; `unsent`, a request of which nothing was sent, or an idempotent one whose connection broke before the answer; `502`, `503`, `504`, these answers to an idempotent request, `504` also an answer that is late.",
    ),
  budget: percentage("20%").describe("Maximum number of retries, as a part of the requests of the last ten seconds."),
}).meta({
  title: "RouteRetryConfig",
  description: "Which requests are sent again, to another target if there is one.",
});

const timeouts = object({
  connect: duration("5s", 1).describe("Until the connection is established, TLS included; then the answer is 504."),
  headers: duration("30s", 1).describe(
    "From the end of the request until the response's headers; then the answer is 504.",
  ),
  idle: duration("90s", 1).describe(
    "How long a request may go without body data in either direction before its response is cut.",
  ),
}).meta({ title: "RouteTimeoutsConfig", description: "How long each phase of a forwarded request may take." });

const shape = object({
  url: targetUrl
    .optional()
    .describe("http or https URL of the only server; its path is put before that of each request."),
  urls: z
    .array(target, "a list of URLs")
    .min(1, "at least one URL")
    .optional()
    .meta({ secret: "url" })
    .describe(
      "Several servers, instead of `url`: URLs, or `{ url, name, weight }` with a name for logs (default `target-<n>`) and a share of the requests (default `1`).",
    ),
  balance: balance
    .default("round-robin")
    .describe(
      "How a target is chosen. `failover`: the first healthy one. `round-robin`: each in turn. `least-requests`: of two random targets, the one with fewer open requests. `{ hash: <what> }`: the same one for equal values of `subject`, `address`, `header:<name>` or `cookie:<name>`.",
    ),
  health: health.optional(),
  eject: eject.prefault({}),
  slowStart: duration("0s").describe(
    "How long a target that is new, or was down or ejected, takes to reach its full share of the requests.",
  ),
  connections: positive(1024, 1_000_000).describe("Maximum number of concurrent requests to one target, per process."),
  queue: queue.prefault({}),
  retry: retry.prefault({}),
  timeouts: timeouts.prefault({}),
  tls: upstreamTls.optional(),
  http2: z.boolean().default(false).describe("Whether to use HTTP/2 with a target that offers it over TLS."),
});

type Parsed = z.output<typeof shape>;

const checked = shape.superRefine((parsed, context) => {
  for (const [path, message] of contradictions(parsed))
    context.addIssue({ code: "custom", path, message, continue: false });
});

/** The schema of a route's `upstream` section. */
export const routeUpstreamSchema: z.ZodType<RouteUpstreamOptions, RouteUpstreamConfig> = convert(
  checked,
  toOptions,
  toConfig,
).meta({ title: "RouteUpstreamConfig", description: "The servers behind a route: give `url` or `urls`." });

function toOptions({ url, urls, eject: { errors, ...ejected }, ...rest }: Parsed): RouteUpstreamOptions {
  return {
    ...rest,
    targets: toTargets(url === undefined ? (urls ?? []) : [url]),
    health: rest.health,
    eject: errors === undefined ? undefined : { errors, ...ejected },
    tls: rest.tls,
  };
}

function toConfig({ targets, eject: ejected, retry: { on, ...retrying }, ...rest }: RouteUpstreamOptions): Parsed {
  const [first, second] = targets;
  const single = second === undefined && first?.name === defaultName(0) && first.weight === 1;
  return {
    ...(single ? { url: first.url } : { urls: [...targets] }),
    ...rest,
    eject: ejected ?? { ...eject.parse({}), errors: undefined },
    retry: { ...retrying, on: [...on] },
  };
}

/** Checks options that are valid alone but not together: yields the invalid option and what was expected. */
function* contradictions(parsed: Parsed): Generator<[path: string[], expected: string]> {
  const targets = toTargets(parsed.urls ?? []);
  yield* serverContradictions(parsed, targets);
  if (targets.length > 0 && targets.every(({ weight }) => weight === 0))
    yield [["urls"], "a target with a weight above 0"];
}

function toTargets(urls: NonNullable<Parsed["urls"]>): TargetOptions[] {
  return urls.map((entry, index) => {
    const { url, name, weight } = typeof entry === "string" ? { url: entry, name: undefined, weight: 1 } : entry;
    return { name: name ?? defaultName(index), url, weight };
  });
}
