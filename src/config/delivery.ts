/** The `deliveries` section. */
import { z } from "zod";
import type { Deliveries, DeliveryOptions, SigningOptions } from "../deliveries/options.ts";
import { isStreamName } from "../gateway/stream-patterns.ts";
import { isGlob } from "../util/glob.ts";
import { isToken } from "../util/http-field.ts";
import { isName } from "../util/name.ts";
import type { DeliveryConfig, SigningConfig } from "./config.ts";
import { bareUrl, convert, duration, headerValue, object, positive, text, textAs, whole } from "./fields.ts";

/** Fields that the gateway writes: those of the framing, of Standard Webhooks, and its own. */
const ownHeader =
  /^(connection|content-length|content-type|expect|host|keep-alive|te|trailer|transfer-encoding|upgrade|webhook-.*|spillway-.*)$/;

const headerName = textAs("a header name, not host, content-type, webhook-… or spillway-…", (name) => {
  const lower = name.toLowerCase();
  return isToken(name) && !ownHeader.test(lower) ? lower : undefined;
});

const secret = text(
  "whsec_ and 24 to 64 random bytes in base64, as `openssl rand -base64 32` prints them",
  (input) => {
    const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(input)?.[1];
    const { length } = Buffer.from(encoded ?? "", "base64");
    return length >= 24 && length <= 64;
  },
  { secret: true },
);

const signing: z.ZodType<SigningOptions, SigningConfig> = convert(
  object({
    scheme: z
      .enum(["standard"])
      .default("standard")
      .describe("`standard`: [Standard Webhooks](https://www.standardwebhooks.com), with HMAC-SHA256."),
    secret: z
      .union([secret, z.array(secret, "a list of secrets").min(1, "at least one secret").max(4, "at most 4 secrets")], {
        error: "a secret that begins with whsec_, or a list of them",
      })
      .meta({ secret: true })
      .describe(
        "Secret that the receiver has too: `whsec_` and base64. With a list, a request has a signature for each, so that secrets can be rotated.",
      ),
  }),
  ({ scheme, secret: given }): SigningOptions => ({ scheme, secrets: [given].flat() }),
  ({ scheme, secrets }) => ({ scheme, secret: secrets.length === 1 ? secrets[0]! : [...secrets] }),
).meta({ title: "SigningConfig", description: "How the requests of a delivery are signed." });

const maxPatterns = 8;

const names = (what: string): z.ZodType<readonly string[], readonly string[]> =>
  z
    .array(text(`${what}, in which * matches any characters`, isName), "a list of names")
    .min(1, "at least one name")
    .max(100, "at most 100 names")
    .refine((list) => list.filter(isGlob).length <= maxPatterns, `at most ${maxPatterns} names with *`);

const delay = duration("5s", 1).unwrap();

const schedule = ["5s", "5m", "30m", "2h", "5h", "10h", "14h", "20h", "24h"];

const shape = object({
  stream: z.string().describe("Stream whose events are sent."),
  url: bareUrl.describe("http or https URL of the endpoint, which gets a `POST` for each event. Never shown in full."),
  channels: names("a channel")
    .optional()
    .describe(
      "Channels; with a list, events without a channel are left out. `*` matches any characters. Default: all.",
    ),
  events: names("an event type").optional().describe("Event types. Default: all."),
  filter: z
    .string()
    .optional()
    .describe("[Filter expression](../guides/filters.md) that must hold as well. Default: every event."),
  sign: signing.optional(),
  headers: z
    .record(headerName, headerValue)
    .default({})
    .meta({ secret: true })
    .describe("Header fields of every request, such as `authorization`; their values are never shown."),
  timeout: duration("15s", 10).describe("How long an attempt may take, from connecting to the end of the response."),
  order: z
    .enum(["channel", "strict", "none"])
    .default("channel")
    .describe(
      "`channel`: the events of a channel, and those without one, are each sent in order, and wait behind one that fails. `strict`: all events in order. `none`: in any order.",
    ),
  parallel: positive(10, 1000).describe("Maximum number of concurrent requests."),
  from: z
    .enum(["now", "earliest"])
    .default("now")
    .describe("Where a new delivery starts: with the next event, or with the first one that the stream still has."),
  retry: z
    .array(delay, "a list of durations")
    .max(20, "at most 20 delays")
    .prefault(schedule)
    .describe(
      "Delays between the attempts for an event, each up to a tenth longer. When the attempt after the last delay fails, the event is a dead letter.",
    ),
  allowPrivate: z
    .boolean()
    .default(false)
    .describe("Whether the endpoint may have a loopback, private or otherwise special address."),
  dead: z
    .string()
    .optional()
    .describe(
      "Stream that gets the dead letters; it has no `upstream` and no `webhook`. Default: they are logged and dropped.",
    ),
});

const delivery: z.ZodType<DeliveryOptions, DeliveryConfig> = whole(shape).meta({
  title: "DeliveryConfig",
  description: "The events of a stream, sent to an endpoint as webhooks.",
});

const deliveryName = text("a name (a letter or digit, then at most 63 letters, digits, _ and -)", isStreamName);

/** The `deliveries` section. */
export const deliveriesSchema: z.ZodType<Deliveries, Readonly<Record<string, DeliveryConfig>>> = z.record(
  deliveryName,
  delivery,
);
