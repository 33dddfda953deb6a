import { createHmac, randomBytes } from "node:crypto";
import { LRUCache } from "lru-cache";
import { SpillwayError } from "../errors.ts";
import { createFairLimiter } from "../util/fair-limiter.ts";
import type { Logger } from "../util/logger.ts";
import type { Identity } from "./identity.ts";
import type { KeyOptions } from "./options.ts";
import { hashFast, isWeak, readHash } from "./secret-hash.ts";

/** What every API key begins with that Spillway makes: so that it is told from a token, and found where it must not be. */
const keyPrefix = "spw_";

/** Whether a text is meant as an API key of Spillway. */
export function isKey(text: string): boolean {
  return text.startsWith(keyPrefix);
}

/** Makes a new API key: the prefix and 256 random bits. */
export function createKey(): string {
  return keyPrefix + randomBytes(32).toString("base64url");
}

/** What the configuration holds of a key. A fast hash will do: nobody guesses 256 random bits. */
export function hashKey(key: string): string {
  return hashFast(key);
}

/** The API keys of a configuration. */
export interface Keys {
  /**
   * Whose key a secret is, if that can be said at once; `undefined` for one that is not known, or not yet.
   * @throws {SpillwayError} `credential-expired`.
   */
  find(secret: string): Identity | undefined;
  /**
   * Whose key a secret is that `find` does not know. Where there are slow hashes it is held against slow hashes, a few at once, in turn for each `address`.
   * @throws {SpillwayError} `credential-expired`; `rate-limited`, `overloaded` where too many are to be checked.
   */
  check(secret: string, address: string): Promise<Identity | undefined>;
  /** Whether `check` may know more than `find`. */
  readonly hasSlow: boolean;
  /** Who the key with this hash is for now. */
  ofHash(hash: string): Identity | undefined;
  /** The hashes of the secrets that were checked, by a name that tells nothing of the secret: for the keys that come after. */
  readonly checked: ReadonlyMap<string, string>;
}

/** Of 4 threads that the process has for such work, files and name look-ups use the others. */
const checks = { atOnce: 2, waitingPerKey: 20, waiting: 1000, patience: 5000 };
/** Secrets that are remembered to be nobody's. */
const mostUnknown = 10_000;
const longestSlow = 1024;

/**
 * Makes the keys' reader. Fast hashes are all compared each time, so that the time it takes tells nothing.
 * @param previous the secrets that it has checked are not checked again
 */
export function createKeys(options: readonly KeyOptions[], logger: Logger, previous?: Keys): Keys {
  const entries = options.map((key) => ({ hash: readHash(key.hash)!, identity: identityOf(key) }));
  const byHash = new Map(options.map(({ hash }, index) => [hash, entries[index]!.identity]));
  const slow = options.flatMap((key, index) => (entries[index]!.hash.slow ? [{ key, ...entries[index]! }] : []));
  const checked = new Map([...(previous?.checked ?? [])].filter(([, hash]) => byHash.has(hash)));
  const unknown = new LRUCache<string, true>({ max: mostUnknown });
  const pending = new Map<string, Promise<Identity | undefined>>();
  const limit = createFairLimiter(checks, (why) =>
    why === "key"
      ? new SpillwayError("rate-limited", "too many keys of this address are being checked", { retryAfter: 5 })
      : new SpillwayError("overloaded", "too many keys are being checked", { retryAfter: 5 }),
  );
  const warnIfWeak = createWeaknessWarning(logger);

  async function checkAll(secret: string, name: string): Promise<Identity | undefined> {
    for (const { key, hash, identity } of slow) {
      if (!(await hash.matches(secret))) continue;
      checked.set(name, key.hash);
      return identity;
    }
    unknown.set(name, true);
    return undefined;
  }

  return {
    hasSlow: slow.length > 0,
    checked,
    find(secret) {
      let found: Identity | undefined;
      for (const { hash, identity } of entries) if (!hash.slow && hash.matches(secret)) found = identity;
      if (!found && checked.size > 0) found = byHash.get(checked.get(nameOf(secret)) ?? "");
      if (found) warnIfWeak(found, secret);
      return found && assertCurrent(found);
    },
    async check(secret, address) {
      if (slow.length === 0 || secret === "" || secret.length > longestSlow) return undefined;
      const name = nameOf(secret);
      if (unknown.get(name)) return undefined;
      let checking = pending.get(name);
      if (!checking) {
        checking = limit(address, () => checkAll(secret, name)).finally(() => pending.delete(name));
        pending.set(name, checking);
      }
      const found = await checking;
      if (found) warnIfWeak(found, secret);
      return found && assertCurrent(found);
    },
    ofHash: (hash) => byHash.get(hash),
  };
}

/** Made anew by each process: what is remembered of a secret is of no use elsewhere. */
const namingKey = randomBytes(32);

function nameOf(secret: string): string {
  return createHmac("sha256", namingKey).update(secret).digest("base64");
}

function identityOf({ name, hash, grant, expiresAt }: KeyOptions): Identity {
  return { subject: `key:${name}`, grant, expiresAt, recognized: { by: "key", hash } };
}

function assertCurrent(identity: Identity): Identity {
  if (identity.expiresAt === undefined || identity.expiresAt > Date.now()) return identity;
  throw new SpillwayError("credential-expired", "the API key has expired");
}

/** The configuration does not know how long a secret is; the first request with it tells. */
function createWeaknessWarning(logger: Logger): (identity: Identity, secret: string) => void {
  const warned = new Set<string>();
  return ({ subject }, secret) => {
    if (isKey(secret) || warned.has(subject) || !isWeak(secret)) return;
    warned.add(subject);
    logger.warn({ subject }, "this API key is short or has few different characters: replace it (spillway key new)");
  };
}
