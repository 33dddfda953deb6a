import { SpillwayError } from "../errors.ts";
import type { AuthorizeRequest } from "./credentials.ts";

/** Refuses requests whose cookie may have been sent by a page that has no business here. */
export type OriginCheck = (request: AuthorizeRequest) => void;

/**
 * Makes the check for cookies, which browsers send along whoever asks them to. A request must come from an allowed origin or from the
 * gateway's own; without an `Origin` header the browser must call it one of the same origin; of what says nothing at all only reading
 * is let through, as browsers of old did not say more for it. The check throws `origin-denied`.
 */
export function createOriginCheck(
  origins: readonly string[],
  originOf: (request: AuthorizeRequest) => string | undefined,
): OriginCheck {
  const isAllowed = (request: AuthorizeRequest): boolean => {
    const origin = request.header("origin");
    if (origin !== undefined) return origins.includes(origin) || origin === originOf(request);
    const site = request.header("sec-fetch-site");
    if (site !== undefined) return site === "same-origin" || site === "none";
    return request.method === "GET" || request.method === "HEAD";
  };
  return (request) => {
    if (isAllowed(request)) return;
    throw new SpillwayError(
      "origin-denied",
      "a cookie counts only from the gateway's own origin and those of access.cors.origins",
      {
        field: "Origin",
        got: request.header("origin")?.slice(0, 100),
      },
    );
  };
}
