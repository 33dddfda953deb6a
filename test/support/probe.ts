import { expect } from "vitest";
import { bearer } from "./credentials.ts";
import type { Door } from "./doors.ts";

type Right = "subscribe" | "publish" | "admin";
type Refusal = readonly [status: number, code: string];

/** A request and its requirements. */
export interface Route {
  readonly method: string;
  readonly path: string;
  readonly accept?: string;
  readonly body?: string;
  /** The required right, if any. */
  readonly needs: Right | undefined;
  /** The stream for which the right is required. */
  readonly of: string;
  /** The requested channel, or that of the event; `null` for an event without one. */
  readonly channel?: string | null;
  /** Whether it requests a ticket, which is not possible with a ticket. */
  readonly makesTicket?: boolean;
  /** The status if it is allowed, and the code if that is an error. */
  readonly ok: number;
  readonly code?: string;
  /** Whether the path does not belong to the gateway. */
  readonly isForeign?: boolean;
}

/** A credential, and the expected result. */
export interface Credential {
  readonly title: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: string;
  /** The body of a request for a ticket, which is then used. */
  readonly ticketFor?: string;
  readonly ticketInHeader?: boolean;
  /** Names, without patterns. */
  readonly grant?: {
    readonly can: readonly Right[];
    readonly streams?: readonly string[];
    readonly channels?: readonly string[];
  };
  /** There is no effective credential: the client is anonymous. */
  readonly none?: boolean;
  readonly isTicket?: boolean;
  readonly refused?: Refusal;
  readonly refusedUnlessReading?: Refusal;
}

/** The expected response, by the rules of PROTOCOL.md. */
export function expectedOf(
  route: Route,
  credential: Credential,
  anonymous: { readonly can: readonly Right[] },
): string {
  const { needs, of, channel } = route;
  const done = shown(route, [route.ok, route.code ?? ""]);
  // Checked first, on every path of the gateway.
  const { refused, refusedUnlessReading, isTicket } = credential;
  const isInUrl = refused?.[1] === "credential-in-url";
  if (isInUrl && route.method !== "OPTIONS" && !route.isForeign) return shown(route, refused);
  if (needs === undefined) return done;
  if (refused) return shown(route, refused);
  if (refusedUnlessReading && !["GET", "HEAD"].includes(route.method)) return shown(route, refusedUnlessReading);
  const grant: NonNullable<Credential["grant"]> = credential.none ? anonymous : credential.grant!;
  const denied: Refusal = credential.none ? [401, "credential-required"] : [403, "access-denied"];
  if (credential.none && route.makesTicket) return shown(route, denied);
  const inStream =
    of === "any stream" || (of === "every stream" ? !grant.streams : !grant.streams || grant.streams.includes(of));
  if (!grant.can.includes(needs) || !inStream) return shown(route, denied);
  const inChannel = channel === undefined || !grant.channels || (channel !== null && grant.channels.includes(channel));
  if (!inChannel || (isTicket && route.makesTicket)) return shown(route, [403, "access-denied"]);
  return done;
}

/** The response to HEAD has no body with a code. */
function shown({ method }: Route, [status, code]: Refusal): string {
  return `${status} ${method === "HEAD" ? "" : code}`.trim();
}

/** Sends the request, and checks what applies to all responses. */
export async function outcomeOf(
  door: Door,
  route: Route,
  credential: Credential,
  ticket: string | undefined,
): Promise<string> {
  const { method, path, accept, body } = route;
  const query = ticket && !credential.ticketInHeader ? `ticket=${ticket}` : credential.query;
  const separator = path.includes("?") ? "&" : "?";
  const response = await door.request(query === undefined ? path : `${path}${separator}${query}`, {
    method,
    headers: {
      ...(accept === undefined ? {} : { accept }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...credential.headers,
      ...(ticket && credential.ticketInHeader ? bearer(ticket) : {}),
    },
    ...(body === undefined ? {} : { body }),
  });
  const { status } = response;
  if (status < 400) {
    await response.body?.cancel();
    return String(status);
  }
  const text = method === "HEAD" ? "" : await response.text();
  assertRefusal(response, text, [ticket, query, ...Object.values(credential.headers ?? {})]);
  if (method === "HEAD") return String(status);
  const problem = JSON.parse(text) as { status: number; code: string };
  expect(problem.status).toBe(status);
  return `${status} ${problem.code}`;
}

function assertRefusal(response: Response, text: string, secrets: ReadonlyArray<string | undefined>): void {
  const { status, headers } = response;
  expect(headers.get("content-type")).toBe("application/problem+json");
  expect(headers.get("cache-control")).toBe("no-store");
  expect(headers.get("www-authenticate")).toEqual(status === 401 ? expect.stringMatching(/^Bearer realm=/) : null);
  expect(headers.get("retry-after")).toEqual(status === 503 ? expect.stringMatching(/^[1-9]\d*$/) : null);
  const said = text + JSON.stringify([...headers]);
  // The last word of a header or query is the secret.
  for (const secret of secrets) {
    const word = secret?.split(/[ =]/).at(-1) ?? "";
    if (word.length > 6 && !word.startsWith("https:")) expect(said).not.toContain(word);
  }
}

/** Makes a ticket with a key that has the right. */
export async function makeTicket(door: Door, body: string, key: string): Promise<string> {
  const response = await door.request("/tickets", {
    method: "POST",
    headers: { ...bearer(key), "content-type": "application/json" },
    body,
  });
  expect(response.status).toBe(201);
  return ((await response.json()) as { ticket: string }).ticket;
}
