import { allows, permits, type Grant } from "./grant.ts";
import type { Identity } from "./identity.ts";

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
