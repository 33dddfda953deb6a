import type { Grant } from "./grant.ts";
import type { Scope } from "./narrow.ts";

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
