import { addressKey } from "../util/ip-address.ts";
import type { Caller } from "./gateway-context.ts";

/** Whose something is: the subject's, or the address's if it is anonymous. No subject has the name of an address. */
export function ownerOf({ identity: { subject }, address }: Caller): string {
  return subject === "anonymous" ? `a ${address === undefined ? "" : addressKey(address)}` : `s ${subject}`;
}
