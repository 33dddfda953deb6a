import { matchesGlob } from "../util/glob.ts";

/** What a caller may be allowed to do. `admin` covers status, metrics, reload and the subscribers of others. */
export type Right = "subscribe" | "publish" | "admin";

/** All rights. */
export const rights: readonly Right[] = ["subscribe", "publish", "admin"];

/** The rights of a caller, and what they apply to. A list allows what matches any of its entries; `*` in a name matches any characters. */
export interface Grant {
  readonly can: readonly Right[];
  /** Names or patterns of streams; absent for all. */
  readonly streams?: readonly string[] | undefined;
  /** Names or patterns of channels; absent for all, and for events without a channel. */
  readonly channels?: readonly string[] | undefined;
  /** Whether a subscriber of granted `channels` also gets events without a channel. Default: false. */
  readonly broadcast?: boolean | undefined;
  /** Names or patterns of event types; absent for all. */
  readonly events?: readonly string[] | undefined;
}

/** Grants nothing. */
export const nothing: Grant = { can: [] };

/** Whether the grant holds the right, on this stream if one is named. */
export function permits(grant: Grant, right: Right, stream?: string): boolean {
  return grant.can.includes(right) && (stream === undefined || allows(grant.streams, stream));
}

/** Whether a name matches one of the names or patterns; without a list every name does. */
export function allows(patterns: readonly string[] | undefined, name: string | undefined): boolean {
  return !patterns || (name !== undefined && patterns.some((pattern) => matchesGlob(pattern, name)));
}
