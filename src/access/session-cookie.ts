/**
 * The cookie of a session of the dashboard. It counts only together with a header that pages of other origins cannot send
 * without permission, so that a page of this origin, such as the application's, is not identified by it unasked.
 */
import type { AuthorizeRequest } from "./authorize.ts";
import { readCookie } from "./cookie.ts";

/** Browsers accept the prefix only for a secure cookie of exactly this host. */
export const sessionCookie = "__Host-spillway-session";

/** The header of the dashboard's requests. Its value is `1`. No CORS response allows it. */
export const dashboardHeader = "spillway-dashboard";

const attributes = "Path=/; Secure; HttpOnly; SameSite=Strict";

/** The session's ticket in a request of the dashboard; `undefined` if there is none. */
export function readSession(request: AuthorizeRequest): string | undefined {
  if (request.header(dashboardHeader) !== "1") return undefined;
  return readCookie(request.header("cookie"), sessionCookie);
}

/** The value of `Set-Cookie` that begins a session. It ends with the browser, at the latest with the ticket. */
export function beginSession(ticket: string): string {
  return `${sessionCookie}=${ticket}; ${attributes}`;
}

/** The value of `Set-Cookie` that ends a session. */
export const endSession: string = `${sessionCookie}=; ${attributes}; Max-Age=0`;
