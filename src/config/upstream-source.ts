/** The options of an upstream that determine how its events are obtained. */
import { z } from "zod";
import type {
  AmqpOptions,
  MqttOptions,
  PollOptions,
  RedisOptions,
  SourceOptions,
  UpstreamOptions,
  WebSocketOptions,
} from "../upstream/upstream.ts";
import { isToken } from "../util/http-field.ts";
import type { AmqpConfig, MqttConfig, PollConfig, RedisPubSubConfig, WebSocketConfig } from "./config.ts";
import { duration, isLabel, jsonPointer, object, percentage, positive, size, text, whole } from "./fields.ts";

type PollSettings = Omit<PollOptions, "kind">;
type WebSocketSettings = Omit<WebSocketOptions, "kind">;
type RedisSettings = Omit<RedisOptions, "kind">;
type MqttSettings = Omit<MqttOptions, "kind">;
type AmqpSettings = Omit<AmqpOptions, "kind">;

const cursor = object({
  from: jsonPointer.describe("JSON pointer to the position in a response."),
  query: text("a parameter's name", isLabel).describe(
    "Query parameter of the next request that has this position as its value.",
  ),
  pages: positive(100, 10_000).describe(
    "Maximum number of pages in a row without waiting. The next page is requested at once if a page has new items and another position.",
  ),
}).meta({ title: "PollCursorConfig", description: "The position that an API returns and takes." });

/** The `poll` section. */
export const pollSchema: z.ZodType<PollSettings, PollConfig> = whole(
  object({
    every: duration("10s", 10).describe(
      "Time between two requests. `Cache-Control: max-age` of the response extends it, up to 5 minutes.",
    ),
    jitter: percentage("10%").describe("How much longer or shorter this time randomly is."),
    emit: z
      .enum(["items", "snapshot", "merge-patch", "json-patch"])
      .default("items")
      .describe(
        "What becomes an event. `items`: each new item of a list. `snapshot`: the document if it has changed, with the type `snapshot`. `merge-patch` (RFC 7396) and `json-patch` (RFC 6902): its changes, with this type, and sometimes a `snapshot`.",
      ),
    items: jsonPointer
      .optional()
      .describe("JSON pointer to the list of items, at most 10,000. Default: the whole response."),
    reverse: z.boolean().default(false).describe("Whether the API lists the newest item first."),
    cursor: cursor.optional(),
    snapshotEvery: positive(100, 1_000_000).describe(
      "Number of changes after which the whole document is sent again. It is also sent after a restart, and if retention has deleted the last one.",
    ),
  }),
).meta({ title: "PollConfig", description: "Requests JSON again and again, and stores what is new." });

const texts = (what: string, test: (text: string) => boolean): z.ZodArray<z.ZodType<string, string>> =>
  z.array(text(what, test), `a list of ${what}`);

const isSet = (input: string): boolean => input.length > 0 && Buffer.byteLength(input) <= 65_535;

/** The `websocket` section. */
export const webSocketSchema: z.ZodType<WebSocketSettings, WebSocketConfig> = object({
  send: z
    .array(z.string().meta({ secret: true }), "a list of texts")
    .default([])
    .describe("Messages that are sent when the connection is open, such as subscriptions."),
  subprotocols: texts("a subprotocol", isToken).default([]).describe("Subprotocols to offer (RFC 6455)."),
  ping: duration("30s", 10).describe("Time between two pings. A pong counts as activity for `timeouts.idle`."),
}).meta({ title: "WebSocketConfig", description: "Settings of a source with a ws or wss URL." });

/** The `redis` section. */
export const redisSchema: z.ZodType<RedisSettings, RedisPubSubConfig> = object({
  subscribe: texts("a channel", isSet).default([]).describe("Channels to subscribe to (`SUBSCRIBE`)."),
  psubscribe: texts("a pattern", isSet)
    .default([])
    .describe(
      "Patterns to subscribe to (`PSUBSCRIBE`). What the asterisk of a pattern such as `events:*` stands for becomes the channel of an event.",
    ),
  backlog: size("16MiB").describe(
    "Maximum memory of messages that wait to be stored. Further ones are lost, and a gap is announced.",
  ),
}).meta({ title: "RedisPubSubConfig", description: "Settings of a source with a redis or rediss URL." });

/** The `mqtt` section. */
export const mqttSchema: z.ZodType<MqttSettings, MqttConfig> = whole(
  object({
    topics: texts("a topic filter", isSet)
      .min(1, "at least one topic filter")
      .describe("Topic filters, such as `sensors/+/temp`. The topic becomes the channel of an event."),
    qos: z
      .union([z.literal(0), z.literal(1)], { error: "0 or 1" })
      .default(1)
      .describe("Maximum quality of service: `1` at least once, `0` at most once."),
    clientId: text("a client id of 1 to 128 printable characters", isLabel)
      .optional()
      .describe("Name of the session, which must be unique on the broker. Default: `spillway-<stream>`."),
    session: duration("24h", 1_000).describe("How long the broker keeps messages for a gateway that is away."),
  }),
).meta({
  title: "MqttConfig",
  description: "Settings of a source with an mqtt or mqtts URL; the broker needs MQTT 5.",
});

/** The `amqp` section. */
export const amqpSchema: z.ZodType<AmqpSettings, AmqpConfig> = object({
  queue: text("the name of a queue", (name) => name.length > 0 && Buffer.byteLength(name) <= 255).describe(
    "Queue to consume, which must exist.",
  ),
  prefetch: positive(100, 65_535).describe("Maximum number of messages that are not acknowledged yet."),
}).meta({ title: "AmqpConfig", description: "Settings of a source with an amqp or amqps URL (AMQP 0-9-1)." });

type Kind = SourceOptions["kind"];

/** The kinds of sources by the scheme of their URLs. */
const schemes: Readonly<Record<string, "http" | Exclude<Kind, "sse" | "ndjson" | "poll">>> = {
  "http:": "http",
  "https:": "http",
  "ws:": "websocket",
  "wss:": "websocket",
  "redis:": "redis",
  "rediss:": "redis",
  "mqtt:": "mqtt",
  "mqtts:": "mqtt",
  "amqp:": "amqp",
  "amqps:": "amqp",
};

/** The URL of a source. */
export const sourceUrl: z.ZodType<string, string> = text(
  `a URL that begins with ${Object.keys(schemes).join("//, ")}//`,
  (input) => URL.canParse(input) && Object.hasOwn(schemes, new URL(input).protocol),
  { secret: "url" },
);

/** The options of an upstream after parsing that are read here. */
export interface ParsedSource {
  readonly format?: "sse" | "ndjson" | undefined;
  readonly poll?: PollSettings | undefined;
  readonly websocket?: WebSocketSettings | undefined;
  readonly redis?: RedisSettings | undefined;
  readonly mqtt?: MqttSettings | undefined;
  readonly amqp?: AmqpSettings | undefined;
  readonly id?: string | undefined;
  readonly event?: string | undefined;
  readonly channel?: string | undefined;
  readonly data?: string | undefined;
  readonly binary?: "refuse" | "base64" | undefined;
}

function kindOf({ format = "sse", poll: polled }: ParsedSource, url: string): Kind {
  const scheme = schemes[new URL(url).protocol] ?? "http";
  if (scheme !== "http") return scheme;
  return polled ? "poll" : format;
}

/** Replaces these options by the kind of the source and its mapping. `url` is one of its addresses. */
export function toSource<Parsed extends ParsedSource>(
  parsed: Parsed,
  url: string,
): Omit<Parsed, keyof ParsedSource> & Pick<UpstreamOptions, "source" | "mapping"> {
  const { format, poll, websocket, redis, mqtt, amqp, id, event, channel, data, binary, ...rest } = parsed;
  const kind = kindOf({ format, poll }, url);
  const sections = { poll, websocket: websocket ?? webSocketSchema.parse({}), redis, mqtt, amqp };
  const settings = kind === "sse" || kind === "ndjson" ? {} : sections[kind];
  return { ...rest, source: { kind, ...settings } as SourceOptions, mapping: { id, event, channel, data, binary } };
}

/** The inverse of {@link toSource}. */
export function fromSource({ source, mapping }: Pick<UpstreamOptions, "source" | "mapping">): ParsedSource {
  const parts = Object.fromEntries(Object.entries(mapping).filter(([, part]) => part !== undefined));
  const { kind, ...settings } = source;
  return { ...parts, ...(kind === "sse" || kind === "ndjson" ? { format: kind } : { [kind]: settings }) };
}

const overHttp: readonly Kind[] = ["sse", "ndjson", "poll"];
const ofBrokers: readonly Kind[] = ["redis", "mqtt", "amqp"];
const ofMessages: readonly Kind[] = ["ndjson", "poll", "websocket", ...ofBrokers];

/** The options that only some kinds of sources have. */
const kindsOf: Readonly<Record<string, readonly Kind[]>> = {
  format: ["sse", "ndjson"],
  poll: ["poll"],
  websocket: ["websocket"],
  redis: ["redis"],
  mqtt: ["mqtt"],
  amqp: ["amqp"],
  method: overHttp,
  body: overHttp,
  proxy: overHttp,
  resume: ["sse", "ndjson", "websocket"],
  id: ofMessages,
  event: ofMessages,
  channel: ofMessages,
  data: ofMessages,
  binary: ["websocket", ...ofBrokers],
};

/** An option that does not fit to the others, and what was expected. */
type Contradiction = [path: string[], expected: string];

/** Checks options that are valid alone but not together. `urls` are valid. */
export function* sourceContradictions(
  parsed: ParsedSource & { readonly resume?: UpstreamOptions["resume"] | undefined },
  urls: readonly string[],
): Generator<Contradiction> {
  const [first, ...others] = urls;
  if (first === undefined) return;
  const kind = kindOf(parsed, first);
  if (others.some((url) => kindOf(parsed, url) !== kind)) yield [["urls"], "URLs of one kind of source"];
  for (const [option, kinds] of Object.entries(kindsOf)) {
    if (parsed[option as keyof ParsedSource] === undefined || kinds.includes(kind)) continue;
    yield [[option], `nothing: this source is of the kind ${kind}, and only ${kinds.join(", ")} have this option`];
  }
  yield* resumeContradictions(parsed.resume, kind);
  yield* pollContradictions(parsed);
  if ((kind === "mqtt" || kind === "amqp") && parsed[kind] === undefined) yield [[kind], "a section"];
  const { redis } = parsed;
  if (kind === "redis" && (redis?.subscribe ?? []).length + (redis?.psubscribe ?? []).length === 0)
    yield [["redis"], "channels in subscribe, or patterns in psubscribe"];
}

function* resumeContradictions(resume: UpstreamOptions["resume"] | undefined, kind: Kind): Generator<Contradiction> {
  const isMessage = typeof resume === "object" && "message" in resume;
  if (isMessage && kind !== "websocket") yield [["resume"], "a form without message, which only a WebSocket can send"];
  if (resume === "header" && kind === "websocket") yield [["resume"], "none, { query } or { message }"];
}

function* pollContradictions({ poll: polled, event }: ParsedSource): Generator<Contradiction> {
  if (event !== undefined && polled?.emit.endsWith("-patch"))
    yield [["event"], "nothing: the type distinguishes documents from their changes"];
  if (polled?.cursor && polled.emit !== "items") yield [["poll", "cursor"], "nothing: only items have a position"];
}
