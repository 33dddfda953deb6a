/** The `upstream` section of a stream. */
import { z } from "zod";
import type { StreamUpstreamOptions } from "../gateway/options.ts";
import type { UpstreamHeaders, UpstreamTarget, UpstreamTls } from "../upstream/upstream.ts";
import { isToken } from "../util/http-field.ts";
import type { Duration, UpstreamConfig, UpstreamTlsConfig } from "./config.ts";
import {
  convert,
  count,
  duration,
  headerValue,
  httpUrl,
  isLabel,
  jsonPointer,
  object,
  pem,
  size,
  text,
  textAs,
  type Optional,
} from "./fields.ts";
import { resumeSchema } from "./upstream-resume.ts";
import {
  amqpSchema,
  fromSource,
  mqttSchema,
  pollSchema,
  redisSchema,
  sourceContradictions,
  sourceUrl,
  toSource,
  webSocketSchema,
} from "./upstream-source.ts";

/** A duration of at least 1 ms, because a timeout of 0 would always expire at once. */
const timeout = (fallback: string): Optional<number, Duration> => duration(fallback, 1);

const target = z
  .union(
    [
      object({
        url: sourceUrl.describe("URL, as in `upstream.url`. Credentials in it are never shown."),
        name: text("a name", isLabel).optional().describe("Name in logs and status. Default: `target-<n>`."),
      }).meta({ title: "UpstreamTargetConfig", description: "One address of a source." }),
      sourceUrl,
    ],
    { error: "a URL or { url, name }" },
  )
  .meta({ secret: "url" });

const headers = z
  .union(
    [
      z.custom<Extract<UpstreamHeaders, () => unknown>>((input) => typeof input === "function"),
      z.record(text("a header name", isToken), headerValue),
    ],
    { error: "header names with their values" },
  )
  .meta({ tsType: "UpstreamHeaders", secret: true });

const timeouts = object({
  connect: timeout("10s").describe("Until the connection is established, TLS included."),
  headers: timeout("30s").describe("From the request until the response's headers."),
  idle: timeout("90s").describe("How long an open stream may send nothing, not even a comment."),
}).meta({
  title: "UpstreamTimeoutsConfig",
  description: "How long each phase of an upstream connection may take.",
});

const backoff = object({
  min: timeout("500ms").describe(
    "The delay before an attempt is random, up to a ceiling that starts here and doubles up to `max`.",
  ),
  max: timeout("30s").describe("The highest ceiling of the delay."),
  healthy: duration("10s").describe("A stream that was open for this long resets the ceiling to `min`."),
}).meta({
  title: "UpstreamBackoffConfig",
  description: "The delay between attempts: random, up to a ceiling that doubles from `min` to `max`.",
});

/** The TLS settings of a connection to another server. */
export const upstreamTls: z.ZodType<UpstreamTls, UpstreamTlsConfig> = object({
  ca: pem
    .optional()
    .describe(
      "Certificate authorities to trust instead of Node's: PEM text or the path of a PEM file, as in the next two.",
    ),
  cert: pem.optional().describe("Client certificate."),
  key: pem.optional().describe("The client certificate's private key."),
  servername: text("a host name", isLabel)
    .optional()
    .describe("Server name to request (SNI) and to verify. Default: the URL's host."),
  rejectUnauthorized: z
    .boolean()
    .optional()
    .describe("`false` accepts any certificate, for tests only. Default: `true`."),
}).meta({
  title: "UpstreamTlsConfig",
  description: "TLS settings of an upstream connection. `ca`, `cert` and `key` are PEM text or the path of a PEM file.",
  secret: true,
});

const shape = object({
  url: sourceUrl
    .optional()
    .describe(
      "The source's URL, whose scheme determines the kind of source: `http`, `ws`, `redis`, `mqtt`, `amqp`, each also with TLS (`https`, `wss`, `rediss`, `mqtts`, `amqps`). Credentials in it are never shown. A stream without an upstream only gets published events.",
    ),
  urls: z
    .array(target, "a list of URLs")
    .min(1, "at least one URL")
    .optional()
    .meta({ secret: "url" })
    .describe(
      "Several addresses of one source, instead of `url`, used according to `balance`: URLs, or `{ url, name }` with a name for logs (default `target-<n>`).",
    ),
  format: z
    .enum(["sse", "ndjson"])
    .optional()
    .describe("Format of an http or https response: `sse`, or `ndjson` for lines of JSON. Default: `sse`."),
  poll: pollSchema.optional(),
  websocket: webSocketSchema.optional(),
  redis: redisSchema.optional(),
  mqtt: mqttSchema.optional(),
  amqp: amqpSchema.optional(),
  id: jsonPointer
    .optional()
    .describe(
      "JSON pointer (RFC 6901) to the id in a message, such as `/seq`, by which repeated events are recognized. This and the next three options are for all sources but `sse`.",
    ),
  event: jsonPointer.optional().describe("JSON pointer to the event's type. Default: the type is `message`."),
  channel: jsonPointer.optional().describe("JSON pointer to the event's channel in a message."),
  data: jsonPointer.optional().describe("JSON pointer to the event's data. Default: the whole message."),
  binary: z
    .enum(["refuse", "base64"])
    .optional()
    .describe("What happens to a message that is not text: it is dropped, or its data is base64. Default: `refuse`."),
  balance: z
    .enum(["failover", "round-robin"])
    .default("failover")
    .describe("`failover`: the first healthy target. `round-robin`: the next one at each attempt."),
  coolDown: duration("30s").describe("How long a failed target is skipped while another one is available."),
  method: textAs("an HTTP method that a stream can answer, such as GET, POST or REPORT", toMethod)
    .optional()
    .describe(
      "Any HTTP method that an event stream can answer, such as `GET`, `POST` or `REPORT`. Default: `POST` if there is a `body`, otherwise `GET`.",
    ),
  body: z.string().meta({ secret: true }).optional().describe("The request's body."),
  headers: headers
    .prefault({})
    .describe("Request headers. In code also a function that is called for every attempt, for tokens that expire."),
  resume: resumeSchema
    .optional()
    .describe(
      'How the last event id is sent: in the `Last-Event-ID` header, or with `{ query: <name> }` in that query parameter. `{ query: last-id, initial: "$" }` sends the value of `initial` while no id is stored: for example `"$"` for new events only, or `"0"` for all events that the source holds. A WebSocket can also send `{ message: <text with {id}> }`. `none`: the source cannot resume, so a broken connection leaves a gap. Default: `header` for `sse`, otherwise `none`.',
    ),
  connect: z
    .enum(["always", "on-demand"])
    .default("always")
    .describe(
      "`always` stays connected, so that the log has no gaps. `on-demand` connects with the first subscriber and closes `linger` after the last.",
    ),
  linger: duration("30s").describe("How long an on-demand connection stays open after its last subscriber."),
  timeouts: timeouts.prefault({}),
  backoff: backoff.prefault({}),
  redirects: count(5, 20).describe("Maximum number of redirects in one attempt, at most 20."),
  maxEventBytes: size("16MiB").describe(
    "Maximum memory for one event, or for one polled response; beyond it the gateway closes the connection and reconnects. An id or a type has at most 2 KiB.",
  ),
  tls: upstreamTls.optional(),
  proxy: httpUrl.optional().describe("URL of an HTTP proxy. Proxy environment variables are ignored."),
});

type Parsed = z.output<typeof shape>;

const checked = shape.superRefine((parsed, context) => {
  for (const [path, message] of contradictions(parsed)) context.addIssue({ code: "custom", path, message });
});

/** The schema of the `upstream` section: validates it, fills in its defaults, and reads its PEM files. */
export const upstreamSchema: z.ZodType<StreamUpstreamOptions, UpstreamConfig> = convert(
  checked,
  toOptions,
  toConfig,
).meta({ title: "UpstreamConfig", description: "The source of a stream: give `url` or `urls`." });

function toOptions({ url, urls, redirects, method, resume: resumed, ...parsed }: Parsed): StreamUpstreamOptions {
  const targets = toTargets(url === undefined ? (urls ?? []) : [url]);
  const rest = toSource(parsed, targets[0]!.url);
  return {
    ...rest,
    resume: resumed ?? (rest.source.kind === "sse" ? "header" : "none"),
    targets,
    method: method ?? (rest.body === undefined ? "GET" : "POST"),
    body: rest.body,
    maxRedirects: redirects,
    tls: rest.tls,
    proxy: rest.proxy,
  };
}

function toConfig({ targets, maxRedirects, source, mapping, ...rest }: StreamUpstreamOptions): Parsed {
  const [first, second] = targets;
  const single = second === undefined && first?.name === defaultName(0);
  return {
    ...(single ? { url: first.url } : { urls: [...targets] }),
    ...fromSource({ source, mapping }),
    ...rest,
    redirects: maxRedirects,
  };
}

/** An option that does not fit to the others, and what was expected. */
type Contradiction = [path: string[], expected: string];

/** The part of an upstream's section that says which servers it has. */
interface ServerConfig {
  readonly url?: string | undefined;
  readonly urls?: readonly unknown[] | undefined;
  readonly tls?: UpstreamTls | undefined;
}

/** Checks the servers of an upstream, of a stream or of a route. */
export function* serverContradictions(
  { url, urls, tls }: ServerConfig,
  targets: readonly { readonly name: string }[],
): Generator<Contradiction> {
  if (url === undefined && urls === undefined) yield [["url"], "url or urls"];
  if (url !== undefined && urls !== undefined) yield [["urls"], "either url or urls, not both"];
  if ((tls?.cert === undefined) !== (tls?.key === undefined)) yield [["tls"], "cert and key together"];
  if (new Set(targets.map(({ name }) => name)).size < targets.length) yield [["urls"], "distinct names"];
}

/** Checks options that are valid alone but not together: yields the invalid option and what was expected. */
function* contradictions(parsed: Parsed): Generator<Contradiction> {
  const { url, urls, backoff: wait } = parsed;
  const targets = toTargets(url === undefined ? (urls ?? []) : [url]);
  yield* serverContradictions(parsed, targets);
  if (parsed.body !== undefined && parsed.method === "GET")
    yield [["method"], "POST or another method with a body, because there is a body"];
  if (wait.max < wait.min) yield [["backoff", "max"], "no less than backoff.min"];
  yield* sourceContradictions(
    parsed,
    targets.map((entry) => entry.url),
  );
}

function toTargets(urls: NonNullable<Parsed["urls"]>): UpstreamTarget[] {
  return urls.map((entry, index) => {
    const { url, name } = typeof entry === "string" ? { url: entry, name: undefined } : entry;
    return { url, name: name ?? defaultName(index) };
  });
}

/** The name of a target that was given no name. */
export function defaultName(index: number): string {
  return `target-${index + 1}`;
}

/**
 * Methods that are upper-cased: those of fetch (WHATWG Fetch, "normalize a method"), the rest of RFC 9110, and REPORT.
 */
const normalized = /^(delete|get|head|options|patch|post|put|connect|trace|report)$/i;

/** Methods whose response has no content, or no content of the resource (RFC 9110 §9.3). */
const streamless: ReadonlySet<string> = new Set(["CONNECT", "HEAD", "TRACE"]);

const longestMethod = 64;

/** Any other token is a method (RFC 9110 §9.1). */
function toMethod(input: string): string | undefined {
  if (!isToken(input) || input.length > longestMethod) return undefined;
  const method = normalized.test(input) ? input.toUpperCase() : input;
  return streamless.has(method) ? undefined : method;
}
