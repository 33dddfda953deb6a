/** The `runs` section. */
import { z } from "zod";
import type { HeaderRules, RouteOptions } from "../proxy/options.ts";
import { runDefaults, type RunKey, type RunOptions, type Runs } from "../runs/options.ts";
import { isToken } from "../util/http-field.ts";
import { isJsonPointer } from "../util/json-pointer.ts";
import type { RunConfig } from "./config.ts";
import { bound, convert, duration, invalid, object, size, value as valueOf, whole } from "./fields.ts";
import { assertStripped, pathPattern, relayShape } from "./relay.ts";
import { routeUpstreamSchema } from "./route-upstream.ts";
import { formatDuration, formatSize } from "./units.ts";

const key = valueOf<string, RunKey>({
  expected: "header:<name>, or body:<JSON pointer> such as body:/id",
  type: "string",
  parse(input) {
    const [, place, name = ""] = /^(header|body):(.+)$/.exec(typeof input === "string" ? input : "") ?? [];
    if (place === "header" && isToken(name)) return { in: "header", name: name.toLowerCase() };
    return place === "body" && isJsonPointer(name) ? { in: "body", name } : invalid;
  },
  print: ({ in: place, name }) => `${place}:${name}`,
});

const onDisconnect = z.union(
  [
    z.enum(["continue", "cancel"]),
    object({ cancelAfter: duration("2m").unwrap().describe("How long a run goes on without a client.") }),
  ],
  { error: "continue, cancel or { cancelAfter: <duration> }" },
);

const limits = whole(
  object({
    bytes: size(formatSize(runDefaults.bytes)).describe(
      "Largest stored response: its blocks, plus 128 bytes for each. Beyond it the run is cut short.",
    ),
    body: size("4MiB").describe("Largest body of a request; beyond it the answer is 413."),
    perSubject: bound("Count", "5").describe(
      "Runs that one key or user, or one address if anonymous, has at a time; beyond it 429.",
    ),
  }),
).meta({ title: "RunLimitsConfig", description: "What one client's runs may cost." });

const shape = object({
  upstream: routeUpstreamSchema,
  dialect: z
    .enum(["openai", "anthropic", "ai-sdk", "none"])
    .default("none")
    .describe(
      "Whose event stream it is: `openai`, `anthropic`, `ai-sdk` or `none`. It decides which event is the last one, and how clients are told of an error: in that API's own words; with `none`, the response is cut.",
    ),
  key: z
    .array(key, "a list of keys")
    .prefault(["header:idempotency-key"])
    .describe(
      "Where the key of a request is, `header:<name>` or `body:<JSON pointer>`; the first that is present counts. Requests of one client with the same key and body get the same run; another body gets 422.",
    ),
  afterEnd: z
    .enum(["join", "restart"])
    .optional()
    .describe(
      "What a request gets with the key of a run that has ended: `join`, that run; `restart`, a new one, also for another body. Default: `join`; with `ai-sdk`, whose key is that of a chat, `restart`.",
    ),
  rejoin: z
    .boolean()
    .optional()
    .describe(
      "Whether `GET <path>/<key>/stream` returns the running response of that key, or 204, and `DELETE` stops it. Default: `true` with `ai-sdk`, else `false`.",
    ),
  onDisconnect: onDisconnect
    .prefault("continue")
    .describe(
      "What happens when a run has no client left: `continue`; `cancel`, it is stopped; or `{ cancelAfter: 2m }`, it is stopped if none has come back by then.",
    ),
  share: z
    .enum(["owner", "granted"])
    .default("owner")
    .describe(
      "Who may join and stop a run: `owner`, whoever has started it (the same key or user, or address if anonymous); `granted`, everyone with the right `proxy` for the route.",
    ),
  ttl: duration(formatDuration(runDefaults.ttl), 1000).describe(
    "How long a run can be read after its end; at least `1s`.",
  ),
  total: duration(formatDuration(runDefaults.total), 1000).describe(
    "How long a run may take; then it is cut short. At least `1s`.",
  ),
  limits: limits.prefault({}),
  ...relayShape,
});

type Parsed = z.output<typeof shape>;

const runSchema: z.ZodType<RunOptions, RunConfig> = convert(shape, toOptions, toConfig).meta({
  title: "RunConfig",
  description: "POST requests whose responses are stored, and can be joined again.",
});

function toOptions(parsed: Parsed): RunOptions {
  const { dialect, key: keys, share, ttl, total, limits: most, onDisconnect: left, afterEnd, rejoin } = parsed;
  const isChat = dialect === "ai-sdk";
  const cancelAfter = left === "continue" ? undefined : left === "cancel" ? 0 : left.cancelAfter;
  return {
    route: toRoute(parsed),
    dialect,
    key: keys,
    afterEnd: afterEnd ?? (isChat ? "restart" : "join"),
    rejoin: rejoin ?? isChat,
    cancelAfter,
    share,
    ttl,
    total,
    limits: most,
  };
}

/** A stored response has to be read, so it must not be encoded. */
function toRoute({ upstream, path, host, headers, forwarded, halfClose, credential = "drop" }: Parsed): RouteOptions {
  return {
    upstream,
    access: "required",
    path,
    host,
    headers: { ...headers, request: withField(headers.request, "accept-encoding", "identity") },
    forwarded,
    credential,
    websocket: false,
    halfClose,
    transform: undefined,
    heartbeat: undefined,
    share: undefined,
  };
}

function withField({ set, remove }: HeaderRules, name: string, value: string): HeaderRules {
  return { set: { ...set, [name]: value }, remove };
}

function toConfig({ route, key: keys, cancelAfter, ...rest }: RunOptions): Parsed {
  const own = Object.entries(route.headers.request.set).filter(([name]) => name !== "accept-encoding");
  const set = Object.fromEntries(own);
  return {
    upstream: route.upstream,
    path: route.path,
    host: route.host,
    headers: { ...route.headers, request: { ...route.headers.request, set } },
    forwarded: route.forwarded,
    halfClose: route.halfClose,
    credential: route.credential,
    ...rest,
    key: [...keys],
    onDisconnect: cancelAfter === undefined ? "continue" : cancelAfter === 0 ? "cancel" : { cancelAfter },
  };
}

/** The runs by the path patterns of their requests. */
export const runsSchema: z.ZodType<Runs, Readonly<Record<string, RunConfig>>> = z
  .record(pathPattern, runSchema)
  .superRefine((runs, context) => {
    for (const [name, { route }] of Object.entries(runs)) assertStripped(name, route.path.strip, context);
  });
