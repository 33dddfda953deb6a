import { createHash, randomBytes, scrypt, scryptSync, timingSafeEqual } from "node:crypto";

/** Compares a secret with a hash. All comparisons take the same time for the same length. */
export type SecretHash =
  | { readonly slow: false; matches(secret: string): boolean }
  /** Takes milliseconds of CPU time on purpose, in Node's thread pool. */
  | { readonly slow: true; matches(secret: string): Promise<boolean> };

/** What {@link readHash} reads, for error messages. */
export const hashExpected: string =
  '"sha256:" and 64 hexadecimal digits, "sha256:<salt>:" and 64 hexadecimal digits, or ' +
  '"$scrypt$ln=…,r=…,p=…$<salt>$<hash>" ("spillway key hash" makes one)';

const sha256 = /^sha256:(?:([\w.+/=-]{1,128}):)?([0-9a-f]{64})$/;

/** The PHC string format, as Passlib and other libraries write it. */
const phc =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{8,128})={0,2}\$([A-Za-z0-9+/]{22,128})={0,2}$/;

/** Memory that one scrypt may take, in bytes. */
const mostMemory = 64 * 1024 * 1024;

/**
 * Reads the hash of a secret: SHA-256 of the secret, SHA-256 of a salt followed by the secret, or scrypt in the PHC
 * string format. `undefined` for anything else, and for scrypt with more than 64 MiB of memory or fewer than 2^10
 * rounds.
 */
export function readHash(text: string): SecretHash | undefined {
  const [, salt = "", hex] = sha256.exec(text) ?? [];
  if (hex === undefined) return readScrypt(text);
  const expected = Buffer.from(hex, "hex");
  return { slow: false, matches: (secret) => timingSafeEqual(digest(salt + secret), expected) };
}

function readScrypt(text: string): SecretHash | undefined {
  const [, ln, r, p, salt = "", hash = ""] = phc.exec(text) ?? [];
  const [rounds, blockSize, parallelization] = [2 ** Number(ln), Number(r), Number(p)];
  const isBounded = rounds >= 1024 && blockSize >= 1 && parallelization >= 1 && parallelization <= 16;
  if (!isBounded || 128 * rounds * blockSize > mostMemory) return undefined;
  const options = { N: rounds, r: blockSize, p: parallelization, maxmem: 2 * mostMemory };
  const [saltBytes, expected] = [Buffer.from(salt, "base64"), Buffer.from(hash, "base64")];
  return {
    slow: true,
    matches: (secret) =>
      new Promise((resolve, reject) => {
        scrypt(secret, saltBytes, expected.length, options, (error, found) => {
          if (error) reject(error);
          else resolve(timingSafeEqual(found, expected));
        });
      }),
  };
}

/** Hash of a secret that cannot be guessed. */
export function hashFast(secret: string): string {
  return `sha256:${digest(secret).toString("hex")}`;
}

/** Hash of a secret that could be guessed: 2^15 rounds of scrypt take about 60 ms and 32 MiB for each attempt. */
export function hashSlowly(secret: string): string {
  const salt = randomBytes(16);
  const hash = scryptSync(secret, salt, 32, { N: 2 ** 15, r: 8, p: 1, maxmem: mostMemory });
  return `$scrypt$ln=15,r=8,p=1$${toBase64(salt)}$${toBase64(hash)}`;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function toBase64(bytes: Buffer): string {
  return bytes.toString("base64").replaceAll("=", "");
}

const leastLength = 16;
const leastBits = 48;

/** Whether a secret could be guessed: it is short, or has few different characters. */
export function isWeak(secret: string): boolean {
  const bits = secret.length * Math.log2(new Set(secret).size);
  return secret.length < leastLength || bits < leastBits;
}

/**
 * A digest that is equal for equal plain values, and does not reveal them. Members that are `undefined` are ignored.
 */
export function fingerprint(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("base64url");
}
