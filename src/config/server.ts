/** The whole configuration: the top-level options, and the sections. */
import { availableParallelism } from "node:os";
import { z } from "zod";
import type { AccessOptions } from "../access/options.ts";
import type { Deliveries } from "../deliveries/options.ts";
import { isStreamName } from "../gateway/stream-patterns.ts";
import type { DashboardOptions, TlsOptions } from "../gateway/options.ts";
import type { Limits } from "../limits/options.ts";
import type { Routes } from "../proxy/options.ts";
import type { Runs } from "../runs/options.ts";
import { isGlob } from "../util/glob.ts";
import { isNetwork } from "../util/ip-address.ts";
import { accessSchema } from "./access.ts";
import type { Count, GatewayConfig } from "./config.ts";
import { deliveriesSchema } from "./delivery.ts";
import { convert, duration, folder, invalid, object, pemPath, text, textAs, value } from "./fields.ts";
import { limitsSchema } from "./limits.ts";
import { formatListen, parseCount, parseListen, type ListenAddress } from "./units.ts";
import { isStoreUrl, storeExpected } from "./open-store.ts";
import { routesSchema } from "./route.ts";
import { runsSchema } from "./run.ts";
import { streamSchema, type StreamEntry } from "./stream.ts";

/** The parsed configuration, before defaults that depend on several keys are filled in. */
export interface ParsedConfig {
  readonly preset?: "surflux" | undefined;
  readonly listen: ListenAddress;
  readonly listener: "raw" | "node";
  /** Absent: SQLite, or memory where there are only routes. */
  readonly store?: string | undefined;
  readonly sqlite: { readonly synchronous: "full" | "normal" };
  readonly cluster: { readonly lease: number; readonly node?: string | undefined };
  readonly workers: number;
  readonly tls?: TlsOptions | undefined;
  readonly trustProxy: readonly string[];
  readonly hosts?: readonly string[] | undefined;
  readonly drain: number;
  readonly static?: string | undefined;
  readonly default?: string | undefined;
  /** By names and patterns of names. */
  readonly streams: Readonly<Record<string, StreamEntry>>;
  readonly routes: Routes;
  readonly runs: Runs;
  readonly deliveries: Deliveries;
  readonly dashboard?: DashboardOptions | false | undefined;
  readonly access?: AccessOptions | undefined;
  readonly limits: Limits;
}

const listen = value<string | number, ListenAddress>({
  expected: 'an address such as "127.0.0.1:8080" or a port',
  type: ["string", "number"],
  parse: (input) => parseListen(input) ?? invalid,
  print: formatListen,
});

const store = textAs(storeExpected, (url) => {
  if (url === "memory") return "memory:";
  return isStoreUrl(url) ? url : undefined;
});

const maxWorkers = 256;

const workers = value<Count, number>({
  expected: `"auto" or a whole number from 1 to ${maxWorkers}`,
  type: ["string", "number"],
  meta: { tsType: "Count" },
  parse: (input) => {
    const number = input === "auto" ? Math.min(availableParallelism(), maxWorkers) : parseCount(input);
    return number !== undefined && number >= 1 && number <= maxWorkers ? number : invalid;
  },
});

const sqlite = object({
  synchronous: z
    .enum(["full", "normal"])
    .default("full")
    .describe(
      "Durability of a commit: `full` survives a power cut, `normal` may lose the last events in one. Neither loses events if the process is killed.",
    ),
}).meta({ title: "SqliteConfig", description: "Settings of the SQLite store." });

const cluster = object({
  lease: duration("10s", 1000, 3_600_000).describe(
    "Duration of the lease to ingest a stream: another node takes over at the latest this long after the holder has died. 1 s to 1 h.",
  ),
  node: text("a name of 1 to 64 letters, digits, _ . : and -", (name) => /^[\w.:-]{1,64}$/.test(name))
    .optional()
    .describe("The name of this node in `/status` of the other nodes. Default: host name and process id."),
}).meta({
  title: "ClusterConfig",
  description: "How nodes that share a store coordinate: PostgreSQL, MySQL, Redis, NATS.",
});

const tls = object({
  cert: pemPath.describe(
    "Serves HTTPS with HTTP/2, and with HTTP/1.1 to clients without HTTP/2, on one port ([more](../operations/tls.md)): the certificate, followed by the intermediate certificates. PEM text or the path of a PEM file, which is read again when it changes.",
  ),
  key: pemPath.describe("The certificate's private key, also as PEM text or the path of a PEM file."),
}).meta({
  title: "TlsConfig",
  description:
    "Encrypts the connections of clients. `cert` and `key` are PEM text or the path of a PEM file, which is read again when it changes.",
  secret: true,
});

const dashboardSection = object({
  write: z
    .boolean()
    .default(false)
    .describe(
      "Whether users may publish events, end subscriptions and command deliveries, as far as their rights allow.",
    ),
}).meta({ title: "DashboardConfig", description: "The dashboard at `/dashboard`." });

const dashboard = convert(
  z.union([z.boolean(), dashboardSection], { error: "true, false, or a section with write" }),
  (parsed): DashboardOptions | false => (parsed === true ? { write: false } : parsed),
  (options) => options,
);

const network = text("an address, or a network such as 10.0.0.0/8", isNetwork);

const hostName = text('a host name without a port, such as "feed.example" or "*.example"', (host) =>
  /^[\w.*:-]{1,255}$/.test(host),
);

const streamName = text(
  "a stream name (a letter or digit, then at most 63 letters, digits, _ and -), or a pattern of such names with *",
  (name) => isStreamName(name) || (isGlob(name) && isStreamName(name.replaceAll("*", "x"))),
);

/** The schema of the whole configuration. A `preset` was already applied. */
export const configSchema: z.ZodType<ParsedConfig, GatewayConfig> = object({
  preset: z
    .enum(["surflux"])
    .optional()
    .describe(
      "A predefined configuration that reads the environment: `surflux` ([below](#the-surflux-preset)). Other options override it.",
    ),
  listen: listen
    .prefault("127.0.0.1:8080")
    .describe(
      "Where to listen: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, `:8080` (every IPv4 address), or a number: that port on 127.0.0.1. An address other than loopback requires `access`.",
    ),
  listener: z
    .enum(["raw", "node"])
    .default("raw")
    .describe(
      "How subscriptions, and GET and HEAD requests of routes, are served over HTTP/1.1. `raw` reads and writes them directly on their sockets, which takes less memory and CPU time. `node` serves every connection through Node's own HTTP server, to find out which of the two has a fault ([how](../guides/operate.md#the-listener)).",
    ),
  store: store
    .optional()
    .describe(
      "Where the log is stored: `sqlite:<path>` (relative to the working directory), `memory:` (lost at the end of the process), or an engine that several nodes share: `postgres://…`, `mysql://…`, `redis://…`, `nats://…` ([choosing one](../guides/scaling-out.md)). Default: `sqlite:./spillway.db`; with nothing but routes without `share`, `memory:`.",
    ),
  sqlite: sqlite.prefault({}),
  cluster: cluster.prefault({}),
  workers: workers
    .prefault(1)
    .describe(
      "Number of processes that serve clients, 1 to 256, or `auto`: the number of available CPU cores. More than 1 requires `spillway serve` and, with streams or runs, `store: sqlite:…` ([when to use](../guides/operate.md#workers)).",
    ),
  tls: tls.optional(),
  trustProxy: z
    .array(network, "a list of addresses")
    .prefault([])
    .describe(
      "Proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host` are trusted: addresses and networks such as `10.0.0.0/8`.",
    ),
  hosts: z
    .array(hostName, "a list of host names")
    .optional()
    .describe(
      'Host names that the gateway\'s own server accepts, in addition to `localhost` and loopback addresses: `[feed.example, "*.feed.example"]`. A request with another `Host` gets 421. Default: any name, except [on loopback](../guides/access.md#on-loopback).',
    ),
  drain: duration("10s").describe(
    "Maximum time over which a stopping gateway disconnects its subscribers; it takes one second per thousand subscribers.",
  ),
  static: folder
    .optional()
    .describe(
      "A folder whose files are served publicly at `/`, with content types, ranges and ETags; relative to the working directory. Names that begin with a dot, links that lead out of the folder, and paths below `/streams`, `/api`, `/events` and `/admin` are not served. Default: `/` is a small page with the streams, a live tail and the `curl` command.",
    ),
  default: z
    .string()
    .optional()
    .describe(
      "The stream that `/api/sse`, `/events` and `/publish` serve. Default: the only stream; none if there are several.",
    ),
  streams: z
    .record(streamName, streamSchema)
    .prefault({})
    .describe(
      "The streams by name: a letter or digit, then at most 63 letters, digits, `_` and `-`. A name with `*`, such as `chat-*`, is a pattern: its streams are made at their first use ([guide](../guides/streams-on-demand.md)).",
    ),
  routes: routesSchema
    .prefault({})
    .describe(
      "Requests that are forwarded to other servers, by path patterns: `*` stands for one segment of a path, `/**` at the end for any rest. The most specific pattern applies; the gateway's own paths come first, except `/events` and `/publish`.",
    ),
  runs: runsSchema
    .prefault({})
    .describe(
      "POST requests whose responses are event streams that survive their clients ([guide](../guides/resumable-llm-streams.md)), by path patterns like those of `routes`. Each response is stored while it arrives, and everyone permitted can join it again at `/runs/<id>`. All other requests for these paths are forwarded like those of a route.",
    ),
  deliveries: deliveriesSchema
    .prefault({})
    .describe(
      "Webhooks: the events of a stream, sent to an endpoint by `POST` ([guide](../guides/webhooks-out.md)), by name, like streams.",
    ),
  dashboard: dashboard
    .optional()
    .describe(
      "The [dashboard](../guides/dashboard.md) at `/dashboard`: `true`, `false`, or `{ write: true }`. Its users need the right `admin`. Default: `true` on a loopback address, unless `hosts` or `trustProxy` is set, for the gateway's own server; a program that mounts the gateway has to set it.",
    ),
  access: accessSchema.optional(),
  limits: limitsSchema.prefault({}),
})
  .superRefine(({ routes, runs }, context) => {
    for (const name of Object.keys(runs).filter((pattern) => Object.hasOwn(routes, pattern)))
      context.addIssue({ code: "custom", path: ["runs", name], message: "a path that is not also one of routes" });
  })
  .meta({
    title: "GatewayConfig",
    description:
      "The whole configuration. `spillway serve` requires `streams`, `routes` or `runs` (or a `preset`); every other option has a default.",
  });

/** The schema of the configuration of a server, which has to serve something. A program may have only runs of its own. */
export const serverConfigSchema: z.ZodType<ParsedConfig, GatewayConfig> = configSchema.refine(
  ({ streams, routes, runs }) => [streams, routes, runs].some((all) => Object.keys(all).length > 0),
  { path: ["streams"], message: "at least one stream, route or run" },
);
