import { createHash } from "node:crypto";
import type { HttpRequest } from "../http/message.ts";
import { asksForEventStream } from "../http/subscribe.ts";
import type { UpstreamOptions } from "../upstream/upstream.ts";
import type { RouteOptions, ShareOptions } from "./options.ts";
import { bodyLength, sharedHeaders, targetPath, withoutParameter } from "./request-head.ts";

/** A request whose response all clients get that send an equal one. */
export interface SharedRequest {
  /** The same for equal requests: a hash of all that the targets see. */
  readonly key: string;
  /** The path of the first client's request, as it was sent. */
  readonly path: string;
  readonly upstream: UpstreamOptions;
}

/** The query parameter with the id of the last event, for clients that cannot send `Last-Event-ID`. */
export const resumeParameter = "last-event-id";

/**
 * A request in the form in which it is shared. `undefined` if it must be forwarded for its client alone: it does not ask
 * for an event stream, has a body, or changes the protocol.
 * @param cookie the name of the cookie that may hold a token for the gateway
 * @throws {SpillwayError} `request-invalid`
 */
export function toSharedRequest(
  request: HttpRequest,
  route: RouteOptions,
  { vary }: ShareOptions,
  cookie: string | undefined,
): SharedRequest | undefined {
  const { original, path } = request;
  if (!original || request.method !== "GET" || !asksForEventStream(request.header("accept"))) return undefined;
  if (bodyLength(original) !== undefined || original.upgrade !== undefined) return undefined;
  const shared = sharedHeaders(request, original, route, vary, cookie);
  const headers = Object.fromEntries(
    shared.names().map((name) => [name, shared.get(name)!.join(name === "cookie" ? "; " : ", ")]),
  );
  const search = withoutParameter(original.search, resumeParameter);
  const urls = route.upstream.targets.map(({ name, url, weight }) => {
    const { origin, pathname } = new URL(url);
    return { name, url: origin + targetPath(path, search, route, pathname), weight };
  });
  const sorted = Object.entries(headers).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const digest = createHash("sha256")
    .update(JSON.stringify([urls, sorted]))
    .digest();
  return { key: digest.toString("hex"), path, upstream: upstreamOf(route, inOrder(urls, digest), headers) };
}

/** Different requests begin with different targets; those of weight 0 come last. */
function inOrder<Target extends { readonly weight: number }>(targets: readonly Target[], digest: Buffer): Target[] {
  const start = digest.readUInt32BE(0) % targets.length;
  const turned = [...targets.slice(start), ...targets.slice(0, start)];
  return [...turned.filter(({ weight }) => weight > 0), ...turned.filter(({ weight }) => weight === 0)];
}

/** The defaults of a stream's upstream, with the settings of the route. */
function upstreamOf(
  { upstream: { timeouts, tls } }: RouteOptions,
  targets: UpstreamOptions["targets"],
  headers: Readonly<Record<string, string>>,
): UpstreamOptions {
  return {
    targets: targets.map(({ name, url }) => ({ name, url })),
    balance: "failover",
    coolDown: 30_000,
    method: "GET",
    body: undefined,
    headers,
    source: { kind: "sse" },
    mapping: { id: undefined, event: undefined, channel: undefined, data: undefined },
    resume: "header",
    timeouts,
    backoff: { min: 500, max: 30_000, healthy: 10_000 },
    // The client follows redirects, or does not.
    maxRedirects: 0,
    maxEventBytes: 16 * 1024 * 1024,
    tls,
    proxy: undefined,
  };
}
