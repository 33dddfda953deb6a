import type { Access } from "../access/access.ts";
import type { Identity, RouteScope, StreamScope } from "../access/identity.ts";
import { SpillwayError } from "../errors.ts";
import { compileFilter } from "../filter/filter.ts";
import { nameRule } from "../util/name.ts";
import { assertNames } from "./filter.ts";
import { withBody } from "./body.ts";
import { json, type HttpBody, type HttpRequest } from "./message.ts";
import { invalid, shown } from "./problem.ts";
import type { Caller, GatewayContext } from "./gateway-context.ts";

/** The largest body of a ticket request, in bytes. */
const bodyLimit = 16 * 1024;

/**
 * `POST /tickets` with `{ stream, channels?, filter? }` or `{ route }`: issues a ticket for an `EventSource`, which can send a
 * ticket in its URL but no headers. A ticket grants at most what its holder is granted.
 */
export async function issueTicket(
  request: HttpRequest,
  { identity, address }: Caller,
  gateway: GatewayContext,
): Promise<HttpBody> {
  assertMayAsk(identity, gateway.policy.access);
  await gateway.admission.publish({ subject: identity.subject, address });
  const scope = await withBody(request, { identity, address }, gateway, bodyLimit, (body) =>
    readRequest(body.toString(), gateway.policy.limits.channels),
  );
  if ("stream" in scope && scope.filter !== undefined) await compileFilter(scope.filter);
  const { ticket, expiresAt } = await gateway.tickets.issue({ holder: identity, address, ...scope });
  // Checked after the grant, so that only callers with the right learn what exists.
  const path = pathOf(scope, gateway);
  const base = `${gateway.policy.originOf(request) ?? ""}${request.mount}`;
  const url = path === undefined ? {} : { url: `${base}${path}?ticket=${encodeURIComponent(ticket)}` };
  return json({ ticket, ...url, expiresAt: new Date(expiresAt).toISOString() }, {}, 201);
}

/**
 * Where a ticket is used; `undefined` for many paths: those of a pattern, or of a program's runs.
 * @throws {SpillwayError} `stream-unknown`, `not-found`.
 */
function pathOf(scope: StreamScope | RouteScope, gateway: GatewayContext): string | undefined {
  if ("route" in scope) {
    // Any other name is that of a program's runs.
    const isPath = scope.route.startsWith("/");
    if (isPath && !gateway.hasRoute(scope.route))
      throw new SpillwayError("not-found", "no such route", { field: "route" });
    return isPath && !scope.route.includes("*") ? scope.route : undefined;
  }
  if (!gateway.streams.has(scope.stream) && !gateway.onDemand.matches(scope.stream))
    throw new SpillwayError("stream-unknown", undefined, { field: "stream" });
  return `/streams/${encodeURIComponent(scope.stream)}`;
}

/** An anonymous caller can subscribe without a ticket, and is identified only by its address. */
function assertMayAsk({ recognized }: Identity, { anonymousTickets, takesCredentials }: Access): void {
  if (recognized.by !== "anonymous" || anonymousTickets) return;
  const code = takesCredentials ? "credential-required" : "access-denied";
  throw new SpillwayError(code, "a ticket needs a credential, unless access.tickets.anonymous is true");
}

function readRequest(body: string, mostChannels: number): StreamScope | RouteScope {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw invalid("body", "JSON", body);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid("body", "an object", typeof value);
  const { stream, channels, filter, route, ...others } = value as Record<string, unknown>;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined)
    throw invalid(shown(unknown), "absent: the fields are stream, channels, filter and route", "a field");
  if (route === undefined) return readStream({ stream, channels, filter }, mostChannels);
  if (typeof route !== "string") throw invalid("route", "the path pattern of a route", typeof route);
  if (stream !== undefined || channels !== undefined || filter !== undefined)
    throw invalid("route", "given without stream, channels and filter", route);
  return { route };
}

function readStream(
  { stream, channels, filter }: Readonly<Record<keyof StreamScope, unknown>>,
  mostChannels: number,
): StreamScope {
  if (typeof stream !== "string") throw invalid("stream", "a stream's name", typeof stream);
  if (filter !== undefined && typeof filter !== "string") throw invalid("filter", "an expression", typeof filter);
  return { stream, channels: readChannels(channels, mostChannels), filter };
}

function readChannels(channels: unknown, most: number): readonly string[] | undefined {
  if (channels === undefined) return undefined;
  if (!Array.isArray(channels) || channels.length === 0) throw invalid("channels", "a list of names", typeof channels);
  if (channels.length > most) throw invalid("channels", `a list of at most ${most} names`, String(channels.length));
  const other = (channels as unknown[]).findIndex((name) => typeof name !== "string");
  if (other !== -1) throw invalid(`channels[${other}]`, nameRule, typeof channels[other]);
  assertNames("channels", channels as string[]);
  return channels as string[];
}
