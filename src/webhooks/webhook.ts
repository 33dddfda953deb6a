import { createHash } from "node:crypto";
import { SpillwayError } from "../errors.ts";
import { createJsonPointer, parseJson, scalarText } from "../util/json-pointer.ts";
import { mediaType } from "../util/media-type.ts";
import type { WebhookFields, WebhookOptions } from "./options.ts";
import { createSignatureCheck, type ReadHeader, type SignatureCheck } from "./signature.ts";

/** The webhooks of one stream. */
export interface Webhook {
  /** Absent for the scheme `none`. */
  readonly signature: SignatureCheck | undefined;
  /**
   * Reads a webhook whose signature is valid. `timestamp` is the signed time, if there is one.
   * @throws {SpillwayError} `request-invalid` for a body that is not what its type says; `media-type-unsupported`.
   */
  read(header: ReadHeader, body: Uint8Array, timestamp: string | undefined): Delivery;
}

/** What a webhook asks for. */
export type Delivery =
  /** To append an event, once for all deliveries with this key; always if there is no key. */
  | { readonly event: DeliveredFields; readonly key: string | undefined }
  /** To prove that the receiver knows the secret, by sending this text back. */
  | { readonly challenge: string };

/** The values of an event, not yet checked. */
export interface DeliveredFields {
  readonly event: string | undefined;
  readonly channel: string | undefined;
  readonly id: string | undefined;
  readonly data: unknown;
}

/** Makes the webhooks of these options. */
export function createWebhook(options: WebhookOptions): Webhook {
  const { scheme } = options;
  const map = createMapping(options);
  return {
    signature: scheme === "none" ? undefined : createSignatureCheck(options),
    read(header, body, timestamp) {
      const document = readDocument(header("content-type"), body);
      const challenge = scheme === "slack" ? challengeOf(document.value) : undefined;
      if (challenge !== undefined) return { challenge };
      const event = map(header, document);
      return { event, key: event.id === undefined ? contentKey(scheme, body, timestamp) : `id ${event.id}` };
    },
  };
}

/** Without a signature, equal bodies are no replays: anybody may send them. */
function contentKey(scheme: string, body: Uint8Array, timestamp = ""): string | undefined {
  if (scheme === "none") return undefined;
  return `content ${timestamp} ${createHash("sha256").update(body).digest("hex")}`;
}

/** The request by which Slack checks a URL. */
function challengeOf(value: unknown): string | undefined {
  const { type, challenge } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return type === "url_verification" && typeof challenge === "string" ? challenge : undefined;
}

/** The body of a webhook: its value, and its JSON as it was sent. */
interface Document {
  readonly value: unknown;
  readonly text: string;
}

type Read = (header: ReadHeader, document: Document) => unknown;

function createMapping({ event, channel, id, data }: WebhookFields): (...webhook: Parameters<Read>) => DeliveredFields {
  const [readEvent, readChannel, readId] = [event, channel, id].map((sources) => sources.map(readerOf));
  const readData = data.map(readerOf);
  const dataOf = (...webhook: Parameters<Read>): unknown => {
    const found = readData.map((read) => read(...webhook)).find((value) => value !== undefined);
    if (found !== undefined) return found;
    throw malformed(`JSON with a value at ${data.join(" or ")}`);
  };
  return (...webhook) => ({
    event: firstText(readEvent!, webhook),
    channel: firstText(readChannel!, webhook),
    id: firstText(readId!, webhook),
    data: data.length === 0 ? webhook[1].text : dataOf(...webhook),
  });
}

/** The first text that is not empty. */
function firstText(reads: readonly Read[], webhook: Parameters<Read>): string | undefined {
  return reads.map((read) => scalarText(read(...webhook))).find((text) => text !== undefined && text !== "");
}

const headerPrefix = "header:";

function readerOf(source: string): Read {
  if (source.startsWith(headerPrefix)) return (header) => header(source.slice(headerPrefix.length));
  const pointer = createJsonPointer(source);
  return (_, { value }) => pointer(value);
}

const accepted = "application/json or application/x-www-form-urlencoded";

function readDocument(contentType: string | undefined, body: Uint8Array): Document {
  const type = mediaType(contentType);
  if (type === "application/x-www-form-urlencoded") return readForm(decodeText(body));
  if (type === "application/json" || /^application\/[\w.-]+\+json$/.test(type)) return readJson(decodeText(body));
  const details = { field: "Content-Type", expected: accepted, got: type.slice(0, 100) || "none" };
  throw new SpillwayError("media-type-unsupported", undefined, details);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Replacing malformed bytes would change what was signed. */
function decodeText(body: Uint8Array): string {
  try {
    return utf8.decode(body);
  } catch {
    throw malformed("text in UTF-8");
  }
}

function readJson(text: string): Document {
  const value = parseJson(text);
  if (value === undefined) throw malformed("JSON");
  return { value, text };
}

/**
 * A form is a JSON object of its fields, with a list for a field that is repeated. A form with the single field
 * `payload` is the JSON in it, as GitHub and Slack send it.
 */
function readForm(text: string): Document {
  const fields = new Map<string, string[]>();
  for (const [name, value] of new URLSearchParams(text)) {
    const values = fields.get(name);
    if (values) values.push(value);
    else fields.set(name, [value]);
  }
  const payload = fields.size === 1 ? fields.get("payload") : undefined;
  if (payload?.length === 1) return readJson(payload[0]!);
  const value = Object.fromEntries(
    Array.from(fields, ([name, values]) => [name, values.length > 1 ? values : values[0]]),
  );
  return { value, text: JSON.stringify(value) };
}

function malformed(expected: string): SpillwayError {
  return new SpillwayError("request-invalid", `the body must be ${expected}`, { field: "body", expected });
}
