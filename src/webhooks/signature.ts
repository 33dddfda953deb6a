import { createHmac, createPublicKey, timingSafeEqual, verify, type KeyObject } from "node:crypto";
import { SpillwayError } from "../errors.ts";
import type { HmacAlgorithm, HmacOptions, WebhookOptions } from "./options.ts";

/** The value of a header by its lower-case name. */
export type ReadHeader = (name: string) => string | undefined;

/** The signature of a webhook, as its headers state it. */
export interface PresentedSignature {
  readonly algorithm: HmacAlgorithm;
  /** What is signed before and after the body. */
  readonly before: string;
  readonly after: string;
  /** HMACs, of which one must be right. */
  readonly hmacs: readonly Buffer[];
  /** Ed25519 signatures, of which one may be right instead. */
  readonly ed25519: readonly Buffer[];
  /** The signed time as it was sent; `undefined` if none is signed. */
  readonly timestamp: string | undefined;
}

/** Checks the signatures of webhooks. */
export interface SignatureCheck {
  /**
   * Reads the signature from the headers, before the body is received.
   * @throws {SpillwayError} `signature-invalid` if it is absent or malformed; `signature-expired`.
   */
  present(header: ReadHeader): PresentedSignature;
  /**
   * Compares it with the bytes that were received.
   * @throws {SpillwayError} `signature-invalid` if no secret has made it.
   */
  verify(presented: PresentedSignature, body: Uint8Array): void;
}

/** Makes the check of a scheme that signs. */
export function createSignatureCheck(options: WebhookOptions): SignatureCheck {
  const { secrets, tolerance } = options;
  const read = readerOf(options);
  const keys = secrets.map(options.scheme === "standard" ? toStandardKey : toHmacKey);
  return {
    present(header) {
      const presented = read(header);
      const isSigned = presented && presented.hmacs.length + presented.ed25519.length > 0;
      if (!isSigned)
        throw new SpillwayError("signature-invalid", "the signature of the webhook is missing or malformed");
      if (presented.timestamp !== undefined) assertCurrent(presented.timestamp, tolerance);
      return presented;
    },
    verify(presented, body) {
      // Every key is compared, so that the time does not tell which of them was right.
      const matching = keys.filter((key) => matches(key, presented, body));
      if (matching.length === 0)
        throw new SpillwayError("signature-invalid", "no secret of the webhook has made this signature");
    },
  };
}

function assertCurrent(timestamp: string, tolerance: number): void {
  const age = Date.now() - toMs(timestamp);
  if (Math.abs(age) <= tolerance) return;
  const got = age > 0 ? `${Math.round(age / 1000)} s ago` : `${Math.round(-age / 1000)} s in the future`;
  const expected = `at most ${tolerance / 1000} s before or after the time of the server`;
  throw new SpillwayError("signature-expired", undefined, { field: "timestamp", expected, got });
}

/** Unix time in seconds, or in milliseconds if it has more digits than seconds will have for three thousand years. */
function toMs(timestamp: string): number {
  return timestamp.length > 11 ? Number(timestamp) : Number(timestamp) * 1000;
}

type Key = Buffer | KeyObject;

function toHmacKey(secret: string): Key {
  return Buffer.from(secret);
}

/** The DER encoding of an Ed25519 public key, up to the key (RFC 8410 §4). */
const ed25519Prefix = Buffer.from("302a300506032b6570032100", "hex");

/** `whsec_<base64>` is a secret, `whpk_<base64>` a public key. */
function toStandardKey(text: string): Key {
  const bytes = Buffer.from(text.replace(/^wh(sec|pk)_/, ""), "base64");
  if (!text.startsWith("whpk_")) return bytes;
  return createPublicKey({ key: Buffer.concat([ed25519Prefix, bytes]), format: "der", type: "spki" });
}

/** Whether a text is a key of Standard Webhooks. */
export function isStandardKey(text: string): boolean {
  const [, kind = "sec", base64 = ""] = /^(?:wh(sec|pk)_)?([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
  const { length } = Buffer.from(base64, "base64");
  return kind === "pk" ? length === 32 : length > 0;
}

function matches(
  key: Key,
  { algorithm, before, after, hmacs, ed25519 }: PresentedSignature,
  body: Uint8Array,
): boolean {
  if (!Buffer.isBuffer(key)) {
    const content = Buffer.concat([Buffer.from(before), body, Buffer.from(after)]);
    return ed25519.some((signature) => verify(null, content, key, signature));
  }
  const expected = createHmac(algorithm, key).update(before).update(body).update(after).digest();
  const equal = hmacs.filter((hmac) => hmac.length === expected.length && timingSafeEqual(hmac, expected));
  return equal.length > 0;
}

type Reader = (header: ReadHeader) => PresentedSignature | undefined;

const single = { algorithm: "sha256", encoding: "hex", prefix: "", timestamp: undefined, content: "{body}" } as const;

function readerOf({ scheme, hmac }: WebhookOptions): Reader {
  switch (scheme) {
    case "standard":
      return readStandard;
    case "stripe":
      return readStripe;
    case "github":
      return hmacReader({ ...single, header: "x-hub-signature-256", prefix: "sha256=" });
    case "shopify":
      return hmacReader({ ...single, header: "x-shopify-hmac-sha256", encoding: "base64" });
    case "slack": {
      const content = "v0:{timestamp}:{body}";
      const timestamp = "x-slack-request-timestamp";
      return hmacReader({ ...single, header: "x-slack-signature", prefix: "v0=", timestamp, content });
    }
    case "hmac":
    case "none":
      return hmacReader(hmac!);
  }
}

function hmacReader({
  header: name,
  algorithm,
  encoding,
  prefix,
  timestamp: timeHeader,
  content,
}: HmacOptions): Reader {
  const [before = "", after = ""] = content.split("{body}");
  return (header) => {
    const value = header(name);
    if (!value?.startsWith(prefix)) return undefined;
    const timestamp = timeHeader && header(timeHeader);
    if (timeHeader !== undefined && !isTimestamp(timestamp)) return undefined;
    const fill = (text: string): string => text.replaceAll("{timestamp}", timestamp ?? "");
    const hmacs = decode([value.slice(prefix.length)], encoding);
    return { algorithm, before: fill(before), after: fill(after), hmacs, ed25519: [], timestamp };
  };
}

/** Standard Webhooks: `v1,<base64> v1a,<base64>` over `<id>.<timestamp>.<body>`. Svix sends it under names of its own. */
function readStandard(header: ReadHeader): PresentedSignature | undefined {
  const prefix = header("webhook-id") === undefined ? "svix" : "webhook";
  const [id, timestamp, list] = ["id", "timestamp", "signature"].map((name) => header(`${prefix}-${name}`));
  if (!id || !isTimestamp(timestamp) || list === undefined) return undefined;
  const ofVersion = (version: string): Buffer[] => decode(valuesOf(list.split(" "), `${version},`), "base64");
  const content = { before: `${id}.${timestamp}.`, after: "", timestamp };
  return { algorithm: "sha256", ...content, hmacs: ofVersion("v1"), ed25519: ofVersion("v1a") };
}

/** Stripe: `t=<timestamp>,v1=<hex>,v1=<hex>` over `<timestamp>.<body>`. */
function readStripe(header: ReadHeader): PresentedSignature | undefined {
  const parts = header("stripe-signature")?.split(",") ?? [];
  const [timestamp] = valuesOf(parts, "t=");
  if (!isTimestamp(timestamp)) return undefined;
  const hmacs = decode(valuesOf(parts, "v1="), "hex");
  return { algorithm: "sha256", before: `${timestamp}.`, after: "", hmacs, ed25519: [], timestamp };
}

function valuesOf(parts: readonly string[], prefix: string): string[] {
  const trimmed = parts.map((part) => part.trim());
  return trimmed.filter((part) => part.startsWith(prefix)).map((part) => part.slice(prefix.length));
}

/** Senders sign once per secret. More signatures than this are not looked at, since each costs a comparison. */
const maxSignatures = 8;

const texts = { hex: /^[0-9a-f]+$/i, base64: /^[A-Za-z0-9+/]+={0,2}$/ };

function decode(signatures: readonly string[], encoding: "hex" | "base64"): Buffer[] {
  return signatures
    .slice(0, maxSignatures)
    .filter((text) => texts[encoding].test(text))
    .map((text) => Buffer.from(text, encoding));
}

function isTimestamp(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,14}$/.test(text);
}
