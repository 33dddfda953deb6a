import { SpillwayError } from "../errors.ts";
import { parseDateTime } from "../util/rfc3339.ts";
import { rights, type Grant, type Identity, type Recognition, type Right } from "./identity.ts";

/** A request as the access check sees it: everything but its body. */
export interface AuthorizeRequest {
  /** Upper case. */
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** A header by its lower-case name. */
  header(name: string): string | undefined;
  /** The remote address of the connection; absent if it is unknown. */
  readonly address?: string | undefined;
  /** Whether the connection is encrypted. Default: false. */
  readonly secure?: boolean | undefined;
}

/** The result of an authorize function or service. Default of `can`: `[subscribe]`. */
export interface AuthorizeResult extends Partial<Grant> {
  /** The caller's name, for limits and logs. Default: `anonymous`. */
  readonly subject?: string | undefined;
  /** When the rights expire: a time in ms since 1970, a `Date`, or RFC 3339 text. Default: never. */
  readonly expiresAt?: number | string | Date | undefined;
}

/** Who the sender of a request is, and its rights; `undefined` refuses the request. */
export type GrantDecision = AuthorizeResult | undefined | Promise<AuthorizeResult | undefined>;

/**
 * Decides about a request: returns rights, or `undefined` to refuse it. If it throws, the request is refused too: with
 * the thrown `SpillwayError`, with 401 or 403 for an error with this `status` or `statusCode`, or with
 * `authorize-unavailable` for any other error. It is called for every request, without a timeout.
 */
export type AuthorizeFunction = (call: {
  /** The request without its body. */
  readonly request: AuthorizeRequest;
  /** The stream, or the path pattern of the route, that the request is for, if any. */
  readonly stream: string | undefined;
}) => GrantDecision;

const members: ReadonlySet<string> = new Set([
  "subject",
  "can",
  "streams",
  "routes",
  "channels",
  "events",
  "broadcast",
  "filter",
  "expiresAt",
]);

/**
 * Turns an authorize result into an identity. Every member must be valid: a restriction that is not understood must not
 * be ignored.
 * @throws {SpillwayError} `credential-expired` if the rights have expired.
 * @throws {TypeError} naming the invalid member.
 */
export function readAuthorizeResult(result: unknown, recognized: Recognition): Identity {
  if (typeof result !== "object" || result === null || Array.isArray(result))
    throw new TypeError("the result is not an object");
  const unknown = Object.keys(result).find((name) => !members.has(name));
  if (unknown !== undefined) throw new TypeError(`unknown member ${unknown.slice(0, 100)}`);
  const { subject, can, streams, routes, channels, events, broadcast, filter, expiresAt } = result as Readonly<
    Record<string, unknown>
  >;
  const end = readTime(expiresAt);
  if (end !== undefined && end <= Date.now()) throw new SpillwayError("credential-expired");
  return {
    subject: readSubject(subject),
    grant: {
      can: readRights(can),
      streams: readNames("streams", streams),
      routes: readNames("routes", routes),
      channels: readNames("channels", channels),
      events: readNames("events", events),
      broadcast: readFlag("broadcast", broadcast),
      filter: readFilter(filter),
    },
    expiresAt: end,
    recognized,
  };
}

function readSubject(subject: unknown): string {
  if (subject === undefined) return "anonymous";
  if (isName(subject)) return subject;
  throw new TypeError("subject: expected 1 to 256 characters without control characters");
}

function readRights(can: unknown): readonly Right[] {
  if (can === undefined) return ["subscribe"];
  if (Array.isArray(can) && can.every(isRight)) return can;
  throw new TypeError(`can: expected an array of ${rights.join(", ")}`);
}

function isRight(value: unknown): value is Right {
  return (rights as readonly unknown[]).includes(value);
}

function readNames(member: string, names: unknown): readonly string[] | undefined {
  if (names === undefined || (Array.isArray(names) && names.every(isName))) return names;
  throw new TypeError(`${member}: expected an array of names of 1 to 256 characters without control characters`);
}

function readFlag(member: string, flag: unknown): boolean | undefined {
  if (flag === undefined || typeof flag === "boolean") return flag;
  throw new TypeError(`${member}: expected true or false`);
}

function readFilter(filter: unknown): string | undefined {
  if (filter === undefined || typeof filter === "string") return filter;
  throw new TypeError("filter: expected an expression");
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= 256 && !/[\u0000-\u001f\u007f]/.test(value);
}

function readTime(time: unknown): number | undefined {
  if (time === undefined) return undefined;
  const ms = time instanceof Date ? time.getTime() : typeof time === "string" ? parseDateTime(time) : time;
  if (typeof ms === "number" && Number.isFinite(ms)) return ms;
  throw new TypeError("expiresAt: expected ms since 1970, a Date, or RFC 3339 text");
}
