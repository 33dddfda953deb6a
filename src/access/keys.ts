import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { SpillwayError } from "../errors.ts";
import type { Identity } from "./identity.ts";
import type { KeyOptions } from "./options.ts";

/** What every API key begins with: so that it is told from a token, and found where it must not be. */
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
  return `sha256:${digest(key).toString("hex")}`;
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}

/** The API keys of a configuration. */
export interface Keys {
  /**
   * Whose key it is.
   * @throws {SpillwayError} `credential-invalid`, `credential-expired`.
   */
  identify(key: string): Identity;
  /** Who the key with this hash is for now. */
  find(hash: string): Identity | undefined;
}

/** Makes the keys' reader. It compares with every key each time, so that the time it takes tells nothing. */
export function createKeys(options: readonly KeyOptions[]): Keys {
  const entries = options.map((key) => ({
    digest: Buffer.from(key.hash.slice("sha256:".length), "hex"),
    identity: identityOf(key),
  }));
  return {
    identify(key) {
      const shown = digest(key);
      let found: Identity | undefined;
      for (const entry of entries) if (timingSafeEqual(entry.digest, shown)) found = entry.identity;
      if (!found) throw new SpillwayError("credential-invalid", "the API key is not known");
      if (found.expiresAt !== undefined && found.expiresAt <= Date.now()) {
        throw new SpillwayError("credential-expired", "the API key has expired");
      }
      return found;
    },
    find: (hash) => {
      const index = options.findIndex((key) => key.hash === hash);
      return entries[index]?.identity;
    },
  };
}

function identityOf({ name, hash, grant, expiresAt }: KeyOptions): Identity {
  return { subject: `key:${name}`, grant, expiresAt, recognized: { by: "key", hash } };
}
