import { SpillwayError } from "../errors.ts";
import { parseDateTime } from "../util/rfc3339.ts";
import { rights, type Grant, type Right } from "./grant.ts";
import type { Identity, Recognition } from "./identity.ts";

/** What a request shows of its sender. */
export interface AuthorizeRequest {
  /** Upper case. */
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** A header by its lower-case name. */
  header(name: string): string | undefined;
  /** The address of the other end of the connection; absent where it is not known. */
  readonly address?: string | undefined;
  /** Whether the connection is encrypted. Default: it is not. */
  readonly secure?: boolean | undefined;
}

/** What the user's own decision says of a caller. Rights that are not said are `[subscribe]`. */
export interface AuthorizeResult extends Partial<Grant> {
  /** Who it is: what limits count by, and logs name. Default `anonymous`. */
  readonly subject?: string | undefined;
  /** When the rights end: a time in ms since 1970, a `Date`, or RFC 3339 text. Default: never. */
  readonly expiresAt?: number | string | Date | undefined;
}

/**
 * A decision as the library's user writes it: rights, or `undefined` to refuse. What it throws refuses too: a `SpillwayError` as it is,
 * anything else with `authorize-unavailable`. It is asked for every request and has no time limit but its own.
 */
export type AuthorizeFunction = (call: {
  /** The request as far as it is known before its body. */
  readonly request: AuthorizeRequest;
  /** The stream that is meant, if one is. */
  readonly stream: string | undefined;
}) => AuthorizeResult | undefined | Promise<AuthorizeResult | undefined>;

const members: ReadonlySet<string> = new Set([
  "subject",
  "can",
  "streams",
  "channels",
  "events",
  "broadcast",
  "expiresAt",
]);

/**
 * Makes an identity of what a decision said. It must be right in every member: a bound that is not understood would be none.
 * @throws {SpillwayError} `credential-expired` where the rights have ended.
 * @throws {TypeError} naming the member that is wrong.
 */
export function readAuthorizeResult(result: unknown, recognized: Recognition): Identity {
  if (typeof result !== "object" || result === null || Array.isArray(result)) throw new TypeError("no object");
  const unknown = Object.keys(result).find((name) => !members.has(name));
  if (unknown !== undefined) throw new TypeError(`unknown member ${unknown.slice(0, 100)}`);
  const { subject, can, streams, channels, events, broadcast, expiresAt } = result as Readonly<Record<string, unknown>>;
  const end = readTime(expiresAt);
  if (end !== undefined && end <= Date.now()) throw new SpillwayError("credential-expired");
  return {
    subject: readSubject(subject),
    grant: {
      can: readRights(can),
      streams: readNames("streams", streams),
      channels: readNames("channels", channels),
      events: readNames("events", events),
      broadcast: readFlag("broadcast", broadcast),
    },
    expiresAt: end,
    recognized,
  };
}

function readSubject(subject: unknown): string {
  if (subject === undefined) return "anonymous";
  if (isName(subject)) return subject;
  throw new TypeError("subject is no name");
}

function readRights(can: unknown): readonly Right[] {
  if (can === undefined) return ["subscribe"];
  if (Array.isArray(can) && can.every(isRight)) return can;
  throw new TypeError("can is no list of rights");
}

function isRight(value: unknown): value is Right {
  return (rights as readonly unknown[]).includes(value);
}

function readNames(member: string, names: unknown): readonly string[] | undefined {
  if (names === undefined || (Array.isArray(names) && names.every(isName))) return names;
  throw new TypeError(`${member} is no list of names`);
}

function readFlag(member: string, flag: unknown): boolean | undefined {
  if (flag === undefined || typeof flag === "boolean") return flag;
  throw new TypeError(`${member} is neither true nor false`);
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= 256 && !/[\u0000-\u001f\u007f]/.test(value);
}

function readTime(time: unknown): number | undefined {
  if (time === undefined) return undefined;
  const ms = time instanceof Date ? time.getTime() : typeof time === "string" ? parseDateTime(time) : time;
  if (typeof ms === "number" && Number.isFinite(ms)) return ms;
  throw new TypeError("expiresAt is no time");
}
