import type { Grant } from "../access/grant.ts";
import type { AccessOptions, AuthorizeOptions, ClaimMapping, JwtOptions, KeyOptions } from "../access/options.ts";
import { mask, maskUrl } from "./secrets.ts";
import { formatDuration, formatSize } from "./units.ts";

/** The `access` section as it could be written again, but for its secrets, which are masked. */
export function showAccess(access: AccessOptions): object {
  const { anonymous, keys, jwt, cookie, tickets, authorize, cors } = access;
  return {
    anonymous: Object.keys(anonymous).length === 1 ? [...anonymous.can] : showGrant(anonymous),
    keys: keys.map(showKey),
    jwt: jwt && showJwt(jwt),
    cookie,
    tickets: {
      ...tickets,
      lifetime: formatDuration(tickets.lifetime),
      firstUse: formatDuration(tickets.firstUse),
      bytes: formatSize(tickets.bytes),
    },
    authorize: typeof authorize === "object" ? showAuthorize(authorize) : authorize && mask,
    cors: { origins: [...cors.origins], credentials: cors.credentials, maxAge: formatDuration(cors.maxAge) },
  };
}

function showGrant({ can, streams, channels, events, broadcast }: Grant): object {
  return {
    can: [...can],
    streams: streams && [...streams],
    channels: channels && [...channels],
    events: events && [...events],
    broadcast,
  };
}

function showKey({ name, expiresAt, grant }: KeyOptions): object {
  const expires = expiresAt === undefined ? undefined : new Date(expiresAt).toISOString();
  return { name, hash: mask, expires, ...showGrant(grant) };
}

function showJwt({ verifyWith, claims, ...jwt }: JwtOptions): object {
  return {
    ...("jwks" in verifyWith ? { jwks: maskUrl(verifyWith.jwks) } : { [Object.keys(verifyWith)[0]!]: mask }),
    issuer: jwt.issuer,
    audience: jwt.audience,
    algorithms: [...jwt.algorithms],
    clockTolerance: formatDuration(jwt.clockTolerance),
    can: [...jwt.can],
    broadcast: jwt.broadcast,
    claims: {
      streams: showMapping(claims.streams),
      channels: showMapping(claims.channels),
      events: showMapping(claims.events),
    },
  };
}

function showMapping(mapping: ClaimMapping | undefined): string | undefined {
  return mapping && `claim:${mapping.claim} → ${mapping.template}`;
}

function showAuthorize({ url, timeout, cache, stale }: AuthorizeOptions): object {
  return {
    url: maskUrl(url),
    timeout: formatDuration(timeout),
    cache: formatDuration(cache),
    stale: formatDuration(stale),
  };
}
