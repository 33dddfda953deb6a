import { stringify } from "yaml";
import type { GatewayOptions, StreamOptions, StreamUpstreamOptions } from "../gateway/options.ts";
import type { UpstreamTarget } from "../upstream/upstream.ts";
import { formatListen } from "./listen.ts";
import { mask, maskUrl } from "./secrets.ts";
import { showAccess } from "./show-access.ts";
import { showLimits } from "./show-limits.ts";
import { formatDuration, formatSize } from "./units.ts";

/** Resolved options as YAML that could be a configuration file again, but for its secrets, which are masked. */
export function showConfig(options: GatewayOptions): string {
  return stringify(
    {
      listen: formatListen(options.listen),
      store: /^(memory|sqlite):/.test(options.store) ? options.store : maskUrl(options.store),
      sqlite: { synchronous: options.synchronous },
      cluster: { lease: formatDuration(options.cluster.lease), node: options.cluster.node },
      workers: options.workers,
      tls: options.tls && { cert: mask, key: mask },
      trustProxy: [...options.trustProxy],
      hosts: options.hosts && [...options.hosts],
      drain: formatDuration(options.drain),
      static: options.static,
      default: options.default,
      streams: mapValues(options.streams, showStream),
      access: showAccess(options.access),
      limits: showLimits(options.limits),
    },
    { lineWidth: 0 },
  );
}

function showStream(stream: StreamOptions): object {
  const { age, events, bytes, keys } = stream.retention;
  return {
    upstream: stream.upstream && showUpstream(stream.upstream),
    channel: stream.channel,
    ids: stream.ids,
    retention: {
      age: age === undefined ? "none" : formatDuration(age),
      events: events ?? "none",
      bytes: bytes === undefined ? "none" : formatSize(bytes),
      keys: keys ?? "none",
    },
    heartbeat: showHeartbeat(stream.heartbeat),
    retry: stream.retry === undefined ? undefined : formatDuration(stream.retry),
    coalesce: formatDuration(stream.coalesce),
  };
}

function showHeartbeat({ interval, event }: StreamOptions["heartbeat"]): string | object {
  return event === undefined ? formatDuration(interval) : { interval: formatDuration(interval), event };
}

function showUpstream(upstream: StreamUpstreamOptions): object {
  return {
    ...showTargets(upstream.targets),
    balance: upstream.balance,
    coolDown: formatDuration(upstream.coolDown),
    method: upstream.method,
    body: upstream.body === undefined ? undefined : mask,
    headers: typeof upstream.headers === "function" ? mask : mapValues(upstream.headers, () => mask),
    resume: upstream.resume,
    connect: upstream.connect,
    linger: formatDuration(upstream.linger),
    timeouts: mapValues(upstream.timeouts, formatDuration),
    backoff: mapValues(upstream.backoff, formatDuration),
    redirects: upstream.maxRedirects,
    maxEventBytes: formatSize(upstream.maxEventBytes),
    tls: upstream.tls && mapValues(upstream.tls, (value) => (typeof value === "string" ? mask : value)),
    proxy: upstream.proxy && maskUrl(upstream.proxy),
  };
}

function showTargets(targets: readonly UpstreamTarget[]): object {
  if (targets.length === 1 && targets[0]!.name === "target-1") return { url: maskUrl(targets[0]!.url) };
  return { urls: targets.map(({ url, name }) => ({ url: maskUrl(url), name })) };
}

function mapValues<Section extends object>(section: Section, show: (value: Section[keyof Section]) => unknown): object {
  const entries = Object.entries(section) as [string, Section[keyof Section]][];
  return Object.fromEntries(entries.map(([key, value]) => [key, show(value)]));
}
