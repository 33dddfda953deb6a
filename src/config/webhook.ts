/** The `webhook` section of a stream. */
import { z } from "zod";
import { isHeaderValue, isToken } from "../util/http-field.ts";
import { isJsonPointer } from "../util/json-pointer.ts";
import { webhookSchemes, type WebhookFields, type WebhookOptions, type WebhookScheme } from "../webhooks/options.ts";
import { isStandardKey } from "../webhooks/signature.ts";
import type { WebhookConfig } from "./config.ts";
import { convert, duration, jsonPointer, object, text, textAs } from "./fields.ts";

const secret = text("a secret that is not empty", (input) => input !== "", { secret: true });

/** Each secret costs a digest of the body. */
const maxSecrets = 4;

const headerName = textAs("the name of a header", (name) => (isToken(name) ? name.toLowerCase() : undefined));

const source = textAs('header:<name>, or a JSON pointer such as "/type"', (input) => {
  if (isJsonPointer(input)) return input;
  const [, name] = /^header:(.+)$/.exec(input) ?? [];
  return name !== undefined && isToken(name) ? `header:${name.toLowerCase()}` : undefined;
});

/** One or a list. */
function oneOrList(
  one: z.ZodType<string, string>,
  expected: string,
  most: number,
): z.ZodType<string | string[], string | string[]> {
  const error = `${expected}, or a list of 1 to ${most}`;
  return z.union([one, z.array(one).min(1, error).max(most, error)], { error });
}

const maxSources = 8;

const sources = oneOrList(source, 'header:<name>, a JSON pointer such as "/type"', maxSources).optional();

const shape = object({
  scheme: z
    .enum(webhookSchemes)
    .describe(
      "How the sender signs: `standard` (Standard Webhooks, Svix), `github`, `stripe`, `slack`, `shopify`, `hmac` (any HMAC in one header) or `none` ([examples](../guides/webhooks-in.md)).",
    ),
  secret: oneOrList(secret, "a secret", maxSecrets)
    .meta({ secret: true })
    .optional()
    .describe("The secret that the sender signs with. A list accepts any of up to 4 secrets, to replace one."),
  tolerance: duration("5m", 1000, 43_200_000).describe(
    "How far a signed time may be from the current time, 1 s to 12 h; beyond it 401.",
  ),
  event: sources.describe(
    "Where the event's type is: `header:<name>`, a JSON pointer into the body such as `/type`, or a list of these, of which the first that has a text counts. Default: that of the scheme; `message` if there is none.",
  ),
  channel: sources.describe("Where the event's channel is, as for `event`. Default: none."),
  id: sources.describe(
    "Where the id of the delivery is, as for `event`. Of deliveries with the same id, one is stored. Default: that of the scheme; without an id, the signed time and the SHA-256 of the body identify a delivery.",
  ),
  data: oneOrList(jsonPointer, 'a JSON pointer such as "/data"', maxSources)
    .optional()
    .describe("JSON pointer to the event's data, or a list. Default: the whole body."),
  header: headerName.optional().describe("With `hmac`: the header of the signature."),
  algorithm: z
    .enum(["sha1", "sha256", "sha512"])
    .optional()
    .describe("With `hmac`: the digest, `sha1`, `sha256` or `sha512`. Default: `sha256`."),
  encoding: z.enum(["hex", "base64"]).optional().describe("With `hmac`: `hex` or `base64`. Default: `hex`."),
  prefix: text("text without line breaks", isHeaderValue)
    .optional()
    .describe("With `hmac`: what stands before the signature in its header, such as `sha256=`. Default: nothing."),
  timestamp: headerName
    .optional()
    .describe(
      "With `hmac`: the header of the signed time, in seconds or milliseconds since 1970. Default: none; replays are then recognised by the body only.",
    ),
  content: z
    .string()
    .optional()
    .describe(
      "With `hmac`: what is signed. `{body}` stands for the body, `{timestamp}` for the time. Default: `{body}`; with `timestamp`, `{timestamp}.{body}`.",
    ),
  unverified: z
    .literal("accepted")
    .optional()
    .describe(
      "With `none`: `accepted` allows it on an address that other machines can reach. Everyone who reaches it can then publish to the stream.",
    ),
});

type Parsed = z.output<typeof shape>;

const checked = shape.superRefine((parsed, context) => {
  for (const [path, message] of contradictions(parsed)) context.addIssue({ code: "custom", path, message });
});

/** The schema of the `webhook` section of a stream. */
export const webhookSchema: z.ZodType<WebhookOptions, WebhookConfig> = convert(checked, toOptions, toConfig).meta({
  title: "WebhookConfig",
  description: "Webhooks that are stored as events of the stream, at `POST /webhooks/<name of the stream>`.",
});

/** Where each scheme has the fields of an event. */
const fieldsOf: Readonly<Record<WebhookScheme, Partial<WebhookFields>>> = {
  standard: { event: ["/type"], id: ["header:webhook-id", "header:svix-id"] },
  github: { event: ["header:x-github-event"], id: ["header:x-github-delivery"] },
  stripe: { event: ["/type"], id: ["/id"] },
  slack: { event: ["/event/type", "/type"], id: ["/event_id"] },
  shopify: { event: ["header:x-shopify-topic"], id: ["header:x-shopify-webhook-id"] },
  hmac: {},
  none: {},
};

function toOptions({ scheme, secret: secrets, tolerance, unverified, ...rest }: Parsed): WebhookOptions {
  const { header, algorithm = "sha256", encoding = "hex", prefix = "", timestamp } = rest;
  const { content = timestamp === undefined ? "{body}" : "{timestamp}.{body}" } = rest;
  const field = (name: keyof WebhookFields): readonly string[] =>
    rest[name] === undefined ? (fieldsOf[scheme][name] ?? []) : [rest[name]].flat();
  return {
    scheme,
    secrets: [secrets ?? []].flat(),
    tolerance,
    event: field("event"),
    channel: field("channel"),
    id: field("id"),
    data: field("data"),
    hmac: header === undefined ? undefined : { header, algorithm, encoding, prefix, timestamp, content },
    unverified: unverified === "accepted",
  };
}

function toConfig({ scheme, secrets, tolerance, hmac, unverified, ...fields }: WebhookOptions): Parsed {
  const oneOrMore = (list: readonly string[]): string | string[] | undefined => (list.length > 1 ? [...list] : list[0]);
  return {
    scheme,
    secret: oneOrMore(secrets),
    tolerance,
    event: oneOrMore(fields.event),
    channel: oneOrMore(fields.channel),
    id: oneOrMore(fields.id),
    data: oneOrMore(fields.data),
    ...hmac,
    unverified: unverified ? "accepted" : undefined,
  };
}

const hmacOnly = ["header", "algorithm", "encoding", "prefix", "timestamp", "content"] as const;

/** Checks options that are valid alone but not together: yields the invalid option and what was expected. */
function* contradictions(parsed: Parsed): Generator<[path: string[], expected: string]> {
  const { scheme, unverified, header } = parsed;
  yield* secretProblems(parsed);
  if (scheme !== "none" && unverified !== undefined) yield [["unverified"], "absent: only for the scheme none"];
  if (scheme === "hmac" && header === undefined) yield [["header"], "the header of the signature"];
  if (scheme === "hmac") yield* contentProblems(parsed);
  for (const name of hmacOnly)
    if (scheme !== "hmac" && parsed[name] !== undefined) yield [[name], "absent: only for the scheme hmac"];
}

function* secretProblems({ scheme, secret: secrets }: Parsed): Generator<[path: string[], expected: string]> {
  if (scheme === "none" && secrets !== undefined) yield [["secret"], "a scheme that signs, because there is a secret"];
  if (scheme !== "none" && secrets === undefined) yield [["secret"], "the secret that the sender signs with"];
  if (scheme === "standard" && ![secrets ?? []].flat().every(isStandardKey))
    yield [["secret"], "whsec_ and a secret in base64, or whpk_ and an Ed25519 public key in base64"];
}

function* contentProblems({ content, timestamp }: Parsed): Generator<[path: string[], expected: string]> {
  if (content === undefined) return;
  if (content.split("{body}").length !== 2) yield [["content"], "text with {body} once"];
  if (content.includes("{timestamp}") !== (timestamp !== undefined))
    yield [
      ["content"],
      timestamp === undefined ? "no {timestamp} without a timestamp header" : "text with {timestamp}",
    ];
}
