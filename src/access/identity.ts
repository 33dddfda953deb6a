import { allows, permits, type Grant } from "./grant.ts";

/** How somebody was recognized; what a change of the configuration is held against. */
export type Recognition =
  | { readonly by: "anonymous" }
  /** The key's hash. */
  | { readonly by: "key"; readonly hash: string }
  /** `under`: the fingerprint of the options that the token, or the user's own decision, counted by. */
  | { readonly by: "jwt"; readonly under: string }
  | { readonly by: "authorize"; readonly under: string };

/** Who a caller is, and what that allows. Plain JSON: it goes from process to process. */
export interface Identity {
  /** `anonymous`, `key:<name>`, `jwt:<sub>`, or what the user's own decision said: for limits, logs and `/admin/subscribers`. */
  readonly subject: string;
  readonly grant: Grant;
  /** When the credential ends, ms since 1970; absent for never. */
  readonly expiresAt?: number | undefined;
  readonly recognized: Recognition;
  /** Which ticket it came with, by the hash of it: enough to tell one from another, and no use to who reads it. */
  readonly ticket?: string | undefined;
  /** What the ticket was made for. */
  readonly scope?: Scope | undefined;
}

/** A part of what somebody may subscribe to. */
export interface Scope {
  readonly stream: string;
  /** Names or patterns of channels; absent for all that are granted. */
  readonly channels?: readonly string[] | undefined;
}

/** The part of a grant that is for subscribing to this; `undefined` where it is more than the grant has. */
export function narrowGrant(grant: Grant, { stream, channels }: Scope): Grant | undefined {
  if (!permits(grant, "subscribe", stream)) return undefined;
  // A pattern is within another exactly if that one fits its text: an asterisk only fits into the place of an asterisk.
  if (channels && !channels.every((channel) => allows(grant.channels, channel))) return undefined;
  return { ...grant, can: ["subscribe"], streams: [stream], channels: channels ?? grant.channels };
}

/** An identity that came with a ticket, for what the ticket's holder has become; `undefined` where he may no longer do what it is for. */
export function renewScoped<Scoped extends Identity>(identity: Scoped, holder: Identity): Scoped | undefined {
  const grant = identity.scope && narrowGrant(holder.grant, identity.scope);
  if (!grant) return undefined;
  const expiresAt = Math.min(identity.expiresAt ?? Infinity, holder.expiresAt ?? Infinity);
  return { ...identity, subject: holder.subject, grant, expiresAt, recognized: holder.recognized };
}
