/**
 * Keeps secrets out of what the program prints, whatever was logged. Spillway logs none on purpose; this is for the object that is
 * logged by mistake, and for the text of somebody else's error.
 */

/** What stands in the place of a secret. */
const mask = "[redacted]";

/** Fields and headers whose value is a secret. */
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

/** Each pattern, and what is put in the place of what it finds. None asks for a word's begin: a line break is written as `\n`, which ends with a letter. */
const rules: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  // A member of an object or a pair in a list of headers, several values of one header, and JSON inside of a string.
  [new RegExp(`("(?:${secretNames})"\\s*[:,]\\s*")${inside}"`, "gi"), `$1${mask}"`],
  [new RegExp(`("(?:${secretNames})"\\s*:\\s*)\\[(?:\\s*"${inside}"\\s*,?)*\\]`, "gi"), `$1"${mask}"`],
  [new RegExp(String.raw`(\\"(?:${secretNames})\\"\s*:\s*\\")[^"\\]*`, "gi"), `$1${mask}`],
  // User and password of a URL.
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s/"'\\]*@/gi, `$1${mask}@`],
  // The query of a URL: the name of a parameter says too little of what it holds.
  [/((?:https?|wss?):\/\/[^\s"'\\?]*\?)[^\s"'\\]+/gi, `$1${mask}`],
  // A parameter of a path.
  [new RegExp(`([?&;](?:${secretNames})=)[^\\s"'\\\\&#]+`, "gi"), `$1${mask}`],
  // A header's line in a text.
  [/((?:proxy-)?authorization|x-api-key|(?:set-)?cookie)(\s*[:=]\s*)[^"\\]+/gi, `$1$2${mask}`],
  [/(bearer|basic)\s+[\w.~+/=-]{4,}/gi, `$1 ${mask}`],
  // What is a secret wherever it stands: Spillway's own keys, and tokens (RFC 7519).
  [/spw_[\w-]+/g, mask],
  [/eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)*/g, mask],
];

/** The text, as JSON or not, without the secrets in it. */
export function redact(text: string): string {
  return rules.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
}
