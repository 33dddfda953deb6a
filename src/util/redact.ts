/**
 * Removes secrets from output. Spillway itself logs no secrets; this catches objects that are logged by mistake, and
 * the error messages of other libraries.
 */

/** Replaces a secret. */
const mask = "[redacted]";

/** Names of fields and headers whose value is a secret. */
const secretNames = [
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "x-api-key",
  "api-?key",
  "access-?token",
  "refresh-?token",
  "id-?token",
  "token",
  "jwt",
  "ticket",
  "passw(?:or)?d",
  "passphrase",
  "secret",
  "client-?secret",
  "private-?key",
  "signature",
  "sig",
  "key",
]
  .join("|")
  .replaceAll("-", "[-_]");

/** The inside of a JSON string. */
const inside = String.raw`(?:[^"\\]|\\.)*`;

/**
 * Patterns and their replacements. None uses `\b`: in JSON a line break is written as `\n`, which ends with a letter.
 */
const rules: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  // A member of an object or a pair in a list of headers; several values of one header; JSON inside a string.
  [new RegExp(`("(?:${secretNames})"\\s*[:,]\\s*")${inside}"`, "gi"), `$1${mask}"`],
  [new RegExp(`("(?:${secretNames})"\\s*:\\s*)\\[(?:\\s*"${inside}"\\s*,?)*\\]`, "gi"), `$1"${mask}"`],
  [new RegExp(String.raw`(\\"(?:${secretNames})\\"\s*:\s*\\")[^"\\]*`, "gi"), `$1${mask}`],
  // User and password of a URL.
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s/"'\\]*@/gi, `$1${mask}@`],
  // The whole query of a URL, because the name of a parameter does not show whether its value is a secret.
  [/((?:https?|wss?):\/\/[^\s"'\\?]*\?)[^\s"'\\]+/gi, `$1${mask}`],
  // A query parameter without the rest of its URL.
  [new RegExp(`([?&;](?:${secretNames})=)[^\\s"'\\\\&#]+`, "gi"), `$1${mask}`],
  // A header line in a text.
  [/((?:proxy-)?authorization|x-api-key|(?:set-)?cookie)(\s*[:=]\s*)[^"\\]+/gi, `$1$2${mask}`],
  [/(bearer|basic)\s+[\w.~+/=-]{4,}/gi, `$1 ${mask}`],
  // Secrets that are recognizable anywhere: Spillway's own keys, and JSON Web Tokens (RFC 7519).
  [/spw_[\w-]+/g, mask],
  [/eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)*/g, mask],
];

/** Returns the text, JSON or not, without the secrets in it. */
export function redact(text: string): string {
  return rules.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
}
