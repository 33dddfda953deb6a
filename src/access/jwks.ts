import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
} from "jose";
import { SpillwayError } from "../errors.ts";
import type { Logger } from "../util/logger.ts";
import { readText, reasonOf } from "../util/remote-response.ts";

/** How long the last key set is used while no new one is available, in ms. */
const survives = 24 * 3_600_000;
/** Minimum time between two requests to the issuer while no key set is available, in ms. */
const pause = 1000;
/** Maximum size of a key set, in bytes. */
const largest = 1024 * 1024;

/**
 * The keys of an issuer, from the URL of its key set. They are fetched on first use and every ten minutes, and when a
 * token names an unknown key, but at most every thirty seconds. While the issuer is unreachable, the last key set is
 * used for up to a day. Throws `issuer-unavailable` if there is none, or if it lacks the token's key, which may be
 * newer.
 */
export function createIssuerKeys(url: string, logger: Logger): JWTVerifyGetKey {
  const source = createKeySource(logger);
  const keys = createRemoteJWKSet(new URL(url), {
    [customFetch]: source.fetch,
    timeoutDuration: 5000,
    cooldownDuration: 30_000,
    cacheMaxAge: 600_000,
  });
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (error) {
      throw error instanceof errors.JWKSNoMatchingKey && source.isDown() ? unavailable() : error;
    }
  };
}

interface KeySource {
  readonly fetch: FetchImplementation;
  /** Whether the last attempt failed. */
  isDown(): boolean;
}

function createKeySource(logger: Logger): KeySource {
  let last: { readonly text: string; readonly at: number } | undefined;
  let failedAt: number | undefined;
  return {
    isDown: () => failedAt !== undefined,
    async fetch(url, init) {
      if (!last && failedAt !== undefined && Date.now() - failedAt < pause) throw unavailable();
      try {
        last = { text: await fetchKeySet(url, init), at: Date.now() };
        failedAt = undefined;
      } catch (error) {
        failedAt = Date.now();
        if (last && failedAt - last.at > survives) last = undefined;
        logger.warn({ reason: reasonOf(error), usesLast: last !== undefined }, "the issuer's keys are unavailable");
        if (!last) throw unavailable();
      }
      return new Response(last.text);
    },
  };
}

async function fetchKeySet(...[url, init]: Parameters<FetchImplementation>): Promise<string> {
  const response = await fetch(url, init);
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`status ${response.status}`);
  }
  const text = await readText(response, largest);
  // Throws if this is not a key set, so that it does not replace the last valid one.
  createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
  return text;
}

function unavailable(): SpillwayError {
  return new SpillwayError("issuer-unavailable", undefined, { retryAfter: 5 });
}
