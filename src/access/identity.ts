import { matchesGlob } from "../util/glob.ts";

/**
 * What a caller may be allowed to do. `admin` covers status, metrics, reload, the subscribers of others and the dashboard;
 * `inspect` is the right to read events in the dashboard, where `subscribe` does not count.
 */
export type Right = "subscribe" | "publish" | "proxy" | "admin" | "inspect";

/** The right that a subscriber needs: `proxy` for what clients of a route share, `none` if the route needs no right. */
export type SubscriberRight = "subscribe" | "proxy" | "none";

/** All rights. */
export const rights: readonly Right[] = ["subscribe", "publish", "proxy", "admin", "inspect"];

/**
 * The rights of a caller, and what they apply to. A list allows every name that matches one of its entries; `*` in an
 * entry matches any characters.
 */
export interface Grant {
  readonly can: readonly Right[];
  /** Names or patterns of streams; absent for all. */
  readonly streams?: readonly string[] | undefined;
  /** Path patterns of routes, or patterns of these; absent for all. */
  readonly routes?: readonly string[] | undefined;
  /** Names or patterns of channels; absent for all, and for events without a channel. */
  readonly channels?: readonly string[] | undefined;
  /** Whether a subscriber of granted `channels` also gets events without a channel. Default: false. */
  readonly broadcast?: boolean | undefined;
  /** Names or patterns of event types; absent for all. */
  readonly events?: readonly string[] | undefined;
  /** A filter expression: a subscriber gets only the events that match. Absent for all. It restricts nothing else. */
  readonly filter?: string | undefined;
}

/** Grants nothing. */
export const nothing: Grant = { can: [] };

/** Whether the grant includes the right, for this stream or, with `proxy`, this route if one is given. */
export function permits(grant: Grant, right: Right, name?: string): boolean {
  const granted = right === "proxy" ? grant.routes : grant.streams;
  return grant.can.includes(right) && (name === undefined || allows(granted, name));
}

/** Whether a name matches one of the names or patterns; without a list every name does. */
export function allows(patterns: readonly string[] | undefined, name: string | undefined): boolean {
  return !patterns || (name !== undefined && patterns.some((pattern) => matchesGlob(pattern, name)));
}

/** How a caller was authenticated; compared with the new configuration after a reload. */
export type Recognition =
  | { readonly by: "anonymous" }
  /** The key's hash. */
  | { readonly by: "key"; readonly hash: string }
  /** `under`: the fingerprint of the options by which the token, or the user's own decision, was accepted. */
  | { readonly by: "jwt"; readonly under: string }
  | { readonly by: "authorize"; readonly under: string }
  /** The embedding program has decided about the request. The gateway's configuration does not change that. */
  | { readonly by: "program" };

/** Who a caller is, and its rights. Plain JSON: it is sent between processes. */
export interface Identity {
  /**
   * `anonymous`, `key:<name>`, `jwt:<sub>`, or the `subject` of the authorizer or the program; for limits, logs and `/admin/subscribers`.
   */
  readonly subject: string;
  readonly grant: Grant;
  /** When the credential expires, ms since 1970; absent for never. */
  readonly expiresAt?: number | undefined;
  readonly recognized: Recognition;
  /** The hash of the ticket it came with, which identifies the ticket but cannot be used as one. */
  readonly ticket?: string | undefined;
  /** The scope that the ticket was issued for. */
  readonly scope?: Scope | undefined;
}

/** What a ticket is for: to subscribe to a stream, to use a route, or a session of the dashboard. */
export type Scope = StreamScope | RouteScope | DashboardScope;

/** A stream, and a part of its events, to subscribe to. */
export interface StreamScope {
  readonly stream: string;
  /** Names or patterns of channels; absent for all that are granted. */
  readonly channels?: readonly string[] | undefined;
  /** A filter expression, in addition to that of the grant. */
  readonly filter?: string | undefined;
}

/** A route whose requests are forwarded. */
export interface RouteScope {
  /** Its path pattern. */
  readonly route: string;
}

/** The dashboard. Its ticket is in a cookie, and may be used for any number of connections. */
export interface DashboardScope {
  readonly dashboard: true;
}

/** Whether an identity is that of a session of the dashboard. */
export function isDashboard({ scope }: Identity): boolean {
  return scope !== undefined && "dashboard" in scope;
}

/** The hash of the ticket of an identity, if the ticket is for a single connection at a time. */
export function connectionTicket(identity: Identity): string | undefined {
  return isDashboard(identity) ? undefined : identity.ticket;
}

/** Narrows a grant to a scope; `undefined` if the scope exceeds the grant. */
export function narrowGrant(grant: Grant, scope: Scope): Grant | undefined {
  if ("route" in scope)
    return permits(grant, "proxy", scope.route) ? { can: ["proxy"], routes: [scope.route] } : undefined;
  if ("dashboard" in scope) return permits(grant, "admin") ? { ...grant, can: dashboardRights(grant) } : undefined;
  const { stream, channels } = scope;
  if (!permits(grant, "subscribe", stream)) return undefined;
  // One pattern covers another exactly if it matches the other's text: an asterisk in it only matches an asterisk.
  if (channels && !channels.every((channel) => allows(grant.channels, channel))) return undefined;
  return { ...grant, can: ["subscribe"], streams: [stream], channels: channels ?? grant.channels };
}

/** In the dashboard, `inspect` is what `subscribe` is elsewhere. */
function dashboardRights({ can }: Grant): readonly Right[] {
  const kept = can.filter((right) => right === "admin" || right === "publish" || right === "inspect");
  return can.includes("inspect") ? [...kept, "subscribe"] : kept;
}

/**
 * Gives an identity of a ticket the holder's current rights; `undefined` if these no longer cover the ticket's scope.
 */
export function renewScoped<Scoped extends Identity>(identity: Scoped, holder: Identity): Scoped | undefined {
  const grant = identity.scope && narrowGrant(holder.grant, identity.scope);
  if (!grant) return undefined;
  const expiresAt = Math.min(identity.expiresAt ?? Infinity, holder.expiresAt ?? Infinity);
  return { ...identity, subject: holder.subject, grant, expiresAt, recognized: holder.recognized };
}
