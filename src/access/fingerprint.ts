import { createHash } from "node:crypto";

/** A text that is equal for equal values, and tells nothing of them. For plain values; members that are undefined do not count. */
export function fingerprint(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("base64url");
}
