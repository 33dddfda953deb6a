import type { AuthorizeRequest } from "../access/authorize.ts";
import { isDashboard, permits, type Identity } from "../access/identity.ts";
import { beginSession, dashboardHeader, endSession, readSession } from "../access/session-cookie.ts";
import { ticketId } from "../access/tickets.ts";
import { SpillwayError } from "../errors.ts";
import { withBody } from "../http/body.ts";
import type { Caller, GatewayContext } from "../http/gateway-context.ts";
import { json, type HttpBody, type HttpRequest } from "../http/message.ts";
import { invalid } from "../http/problem.ts";
import { isLoopback } from "../util/ip-address.ts";

/** The largest body of a login, in bytes: tokens may have several kB. */
const bodyLimit = 16 * 1024;

/** `GET /dashboard/session`: who the user of the dashboard is, and what the user may do there. */
export async function describeSession(request: HttpRequest, gateway: GatewayContext): Promise<HttpBody> {
  return json(describe(await gateway.policy.access.identify(request, undefined), gateway));
}

/**
 * `POST /dashboard/session` with `{ key }`, an API key or a token: begins a session, whose cookie stands for the key. An
 * unknown key counts as a failed credential of the address.
 */
export async function beginDashboardSession(request: HttpRequest, gateway: GatewayContext): Promise<HttpBody> {
  assertAsked(request);
  assertPrivate(request, gateway);
  const { access, addressOf } = gateway.policy;
  access.checkOwnOrigin(request);
  if (request.grant) throw decidedElsewhere();
  const address = addressOf(request);
  const caller: Caller = { identity: nobody, address };
  const key = await withBody(request, caller, gateway, bodyLimit, (body) => readKey(body.toString()));
  const holder = await access.identify(withCredential(request, key), undefined);
  // A gateway that accepts no credentials ignores them.
  if (holder.recognized.by === "anonymous") throw new SpillwayError("credential-invalid", "unknown key or token");
  if (!permits(holder.grant, "admin"))
    throw new SpillwayError("access-denied", 'the dashboard needs the right "admin" (config: access)');
  await gateway.admission.publish({ subject: holder.subject, address });
  const { ticket } = await gateway.tickets.issue({ holder, address, dashboard: true });
  // A session may begin later than a ticket must be used.
  gateway.tickets.use(ticketId(ticket), 0);
  const identity = await gateway.tickets.redeem(ticket);
  return json(describe(identity, gateway), { "Set-Cookie": beginSession(ticket) }, 201);
}

/** `DELETE /dashboard/session`: ends the session, and its subscriptions. */
export async function endDashboardSession(request: HttpRequest, gateway: GatewayContext): Promise<HttpBody> {
  assertAsked(request);
  gateway.policy.access.checkOwnOrigin(request);
  const ticket = readSession(request);
  if (ticket !== undefined) {
    const hash = ticketId(ticket);
    await gateway.tickets.revoke(hash);
    await gateway.clients.end({ ticket: hash, upTo: Number.MAX_SAFE_INTEGER }, "revoked");
  }
  return json({}, { "Set-Cookie": endSession });
}

const nobody: Identity = { subject: "anonymous", grant: { can: [] }, recognized: { by: "anonymous" } };

function describe(identity: Identity, { policy }: GatewayContext): object {
  const { subject, grant } = identity;
  return {
    subject,
    session: isDashboard(identity),
    can: grant.can,
    write: policy.dashboard?.write === true,
    takesCredentials: policy.access.takesCredentials,
  };
}

/** The program that mounts the gateway decides about each request, so a session would have no effect. */
function decidedElsewhere(): SpillwayError {
  const message = 'the program decides who has the right "admin": log in there';
  return new SpillwayError("access-denied", message);
}

/** A page of another origin cannot send the header, and a form cannot either. */
function assertAsked(request: HttpRequest): void {
  if (request.header(dashboardHeader) === "1") return;
  throw invalid(dashboardHeader, '"1"', request.header(dashboardHeader) ?? "nothing");
}

/** A browser keeps a secure cookie only over HTTPS, or on the machine itself. */
function assertPrivate(request: HttpRequest, { policy }: GatewayContext): void {
  const origin = policy.originOf(request);
  const { protocol, hostname } = new URL(origin ?? "http://unknown.invalid");
  if (protocol === "https:" || isLoopback(hostname.replaceAll(/^\[|\]$/g, "")) || hostname.endsWith(".localhost"))
    return;
  const message =
    "a session needs HTTPS (config: tls), or a proxy with HTTPS whose address is in trustProxy: a key must not be sent in plain text";
  throw new SpillwayError("access-denied", message);
}

function readKey(body: string): string {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new SpillwayError("request-invalid", "the body must be JSON", { field: "body", expected: '{ "key": "…" }' });
  }
  const { key } = (value ?? {}) as { readonly key?: unknown };
  if (typeof key === "string" && /^[\x21-\x7e]+$/.test(key)) return key;
  const expected = "an API key or a token";
  throw new SpillwayError("request-invalid", `key must be ${expected}`, { field: "key", expected });
}

/** The request as if the key had come in its `Authorization`. */
function withCredential(request: HttpRequest, key: string): AuthorizeRequest {
  const { method, path, query, address, secure } = request;
  const header = (name: string): string | undefined =>
    name === "authorization" ? `Bearer ${key}` : request.header(name);
  return { method, path, query, address, secure, header };
}
