import { sessionCookie } from "../access/session-cookie.ts";
import { SpillwayError } from "../errors.ts";
import type { HttpRequest, OriginalRequest } from "../http/message.ts";
import { eventStreamType } from "../sse/index.ts";
import type { CredentialRule, HeaderRules, RouteOptions } from "./options.ts";

/** What is known of the client beside its request. */
export interface ForwardedFacts {
  /** The address of the connection's other end. */
  readonly peer: string | undefined;
  /** Whether that is a trusted proxy, whose `X-Forwarded-*` and `Forwarded` are kept. */
  readonly isTrusted: boolean;
  /** The name of the cookie that may hold a token for the gateway. */
  readonly cookie: string | undefined;
}

/** Header fields that are about one connection (RFC 9110 §7.6.1), and `Expect`, which the gateway answers itself. */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Fields by which a proxy tells who the client is. Some servers take `_` for `-`. */
const forwardedFields: ReadonlySet<string> = new Set([
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-forwarded-ssl",
  "x-real-ip",
]);

/** Collects the fields of a message that are not about the connection; names in lower case, with all their values. */
export class EndToEndHeaders {
  /** Names and values in turn: messages have few fields, and a map would need an array for each. */
  #fields: string[] = [];

  /** @param fields names and values in turn */
  constructor(fields: readonly string[]) {
    let named: Set<string> | undefined;
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i]!.toLowerCase();
      const value = fields[i + 1]!;
      if (!hopByHop.has(name)) this.#fields.push(name, value);
      else if (name === "connection" && !/^(?:keep-alive|close)$/i.test(value)) {
        named ??= new Set();
        for (const option of value.split(",")) named.add(option.trim().toLowerCase());
      }
    }
    if (named) this.deleteIf((name) => named.has(name));
  }

  /** All values of a field, or `undefined` if there are none. */
  get(name: string): string[] | undefined {
    let values: string[] | undefined;
    const fields = this.#fields;
    for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) (values ??= []).push(fields[i + 1]!);
    return values;
  }

  set(name: string, value: string): void {
    this.delete(name);
    this.#fields.push(name, value);
  }

  delete(name: string): void {
    if (this.#fields.includes(name)) this.deleteIf((each) => each === name);
  }

  deleteIf(test: (name: string) => boolean): void {
    const kept: string[] = [];
    for (let i = 0; i < this.#fields.length; i += 2)
      if (!test(this.#fields[i]!)) kept.push(this.#fields[i]!, this.#fields[i + 1]!);
    this.#fields = kept;
  }

  /** Each name once. */
  names(): string[] {
    return Array.from(new Set(this.#fields.filter((_, index) => index % 2 === 0)));
  }

  /** Names and values in turn. */
  fields(): readonly string[] {
    return this.#fields;
  }

  apply({ set, remove }: HeaderRules): void {
    for (const name of remove) this.delete(name);
    for (const name in set) this.set(name, set[name]!);
  }
}

/**
 * The length of a request's body: `undefined` for one without a body, `null` for one in chunks. Node accepts lengths and
 * codings that other servers read differently (RFC 9112 §6.3).
 * @throws {SpillwayError} `request-invalid`.
 */
export function bodyLength({ headers, hasBody, version }: OriginalRequest): number | null | undefined {
  let length: number | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i]!.toLowerCase(), headers[i + 1]!];
    if (name === "transfer-encoding" && (version !== "1.1" || !/^chunked$/i.test(value))) throw oddFraming(headers[i]!);
    if (name !== "content-length") continue;
    if (length !== undefined || !/^(0|[1-9]\d{0,14})$/.test(value)) throw oddFraming(headers[i]!);
    length = Number(value);
  }
  if (!hasBody) return length === 0 ? 0 : undefined;
  return length ?? null;
}

function oddFraming(field: string): SpillwayError {
  return new SpillwayError("request-invalid", "the length of the body is not clear", { field });
}

/** Header fields for a target: names and values in turn. */
export function requestHeaders(
  request: HttpRequest,
  { headers: fields, version }: OriginalRequest,
  route: RouteOptions,
  facts: ForwardedFacts,
): EndToEndHeaders {
  const headers = new EndToEndHeaders(fields);
  const host = request.header("host");
  headers.delete("host");
  headers.delete("content-length");
  applyCredential(headers, route.credential, facts.cookie);
  forward(headers, route.forwarded, request, host, facts);
  const via = headers.get("via");
  headers.set("via", [...(via ?? []), `${version} spillway`].join(", "));
  if (route.transform || (route.heartbeat !== undefined && mayBeEventStream(request)))
    headers.set("accept-encoding", "identity");
  headers.apply(route.headers.request);
  if (route.host === "client" && host !== undefined) headers.set("host", host);
  return headers;
}

/**
 * The header fields of a request that clients share: those in which it may differ, and those that the route sets. As
 * nothing else is forwarded, the response depends on nothing else.
 */
export function sharedHeaders(
  request: HttpRequest,
  { headers: fields }: OriginalRequest,
  route: RouteOptions,
  vary: readonly string[],
  cookie: string | undefined,
): EndToEndHeaders {
  const headers = new EndToEndHeaders(fields);
  const host = request.header("host");
  headers.deleteIf((name) => !vary.includes(name));
  applyCredential(headers, route.credential, cookie);
  headers.apply(route.headers.request);
  if (route.host === "client" && host !== undefined) headers.set("host", host);
  return headers;
}

/** Whether the response may be an event stream; an encoded one cannot be changed. */
function mayBeEventStream(request: HttpRequest): boolean {
  return request.header("accept")?.toLowerCase().includes(eventStreamType) === true;
}

function applyCredential(headers: EndToEndHeaders, rule: CredentialRule, cookie: string | undefined): void {
  // It is the credential of an operator, and never one for a target.
  dropCookie(headers, sessionCookie);
  if (rule === "keep") return;
  headers.delete("authorization");
  headers.delete("x-api-key");
  if (cookie !== undefined) dropCookie(headers, cookie);
  if (rule !== "drop") headers.set("authorization", rule.set);
}

function dropCookie(headers: EndToEndHeaders, cookie: string): void {
  const cookies = headers.get("cookie");
  if (!cookies?.some((value) => value.includes(cookie))) return;
  const kept = cookies
    .flatMap((value) => value.split(";"))
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "" && pair.split("=", 1)[0]!.trim() !== cookie);
  if (kept.length > 0) headers.set("cookie", kept.join("; "));
  else headers.delete("cookie");
}

function forward(
  headers: EndToEndHeaders,
  style: RouteOptions["forwarded"],
  { secure }: HttpRequest,
  host: string | undefined,
  { peer, isTrusted }: ForwardedFacts,
): void {
  const said = (name: string): string | undefined => (isTrusted ? headers.get(name)?.join(", ") : undefined);
  const before = (value: string | undefined, own: string): string => (value ? `${value}, ${own}` : own);
  const own: Record<string, string | undefined> = {};
  if (style === "rfc7239") own["forwarded"] = before(said("forwarded"), forwardedElement(peer, host, secure));
  else if (style === "x-forwarded") {
    own["x-forwarded-for"] = before(said("x-forwarded-for"), peer ?? "unknown");
    own["x-forwarded-host"] = said("x-forwarded-host") ?? host;
    own["x-forwarded-proto"] = said("x-forwarded-proto") ?? (secure ? "https" : "http");
  } else if (isTrusted) return;
  headers.deleteIf((name) => forwardedFields.has(name.replaceAll("_", "-")));
  for (const [name, value] of Object.entries(own)) if (value !== undefined) headers.set(name, value);
}

/** RFC 7239 §4. */
function forwardedElement(peer: string | undefined, host: string | undefined, secure: boolean): string {
  const node = peer === undefined ? "unknown" : peer.includes(":") ? `"[${peer}]"` : peer;
  const name = host === undefined ? "" : `;host="${host.replaceAll(/["\\]/g, "")}"`;
  return `for=${node}${name};proto=${secure ? "https" : "http"}`;
}

/** `.` or `..` as a whole segment. Some servers take a backslash, or an encoded slash, for a slash, and ignore what follows a `;`. */
const dotSegment = /(?:[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\;]|%2f|%5c|%3b|$)/i;

/**
 * The path and query for a target.
 * @throws {SpillwayError} `request-invalid` for a path with `.` or `..`, which the target may resolve to one outside of the route.
 */
export function targetPath(path: string, search: string, route: RouteOptions, base: string): string {
  if (dotSegment.test(path))
    throw new SpillwayError("request-invalid", "the path has the segment . or ..", { field: "path" });
  const { strip, prepend } = route.path;
  // The pattern of the route begins with it, so the path does, too.
  const rest = path.slice(strip.length);
  const query = route.credential === "keep" ? search : withoutParameter(search, "ticket");
  return `${base.replace(/\/$/, "")}${prepend}${rest.startsWith("/") ? rest : `/${rest}`}${query}`;
}

/** A query without the parameters of this name; the others stay as they were written. */
export function withoutParameter(search: string, name: string): string {
  if (!search.includes("=")) return search;
  const kept = search
    .slice(1)
    .split("&")
    // Its name may be percent-encoded.
    .filter((pair) => !new URLSearchParams(pair).has(name));
  return kept.length > 0 ? `?${kept.join("&")}` : "";
}
