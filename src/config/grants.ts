/** Grants, and the keys that have them. */
import { z } from "zod";
import { rights, type Grant, type Right } from "../access/identity.ts";
import type { KeyOptions } from "../access/options.ts";
import { hashExpected, readHash } from "../access/secret-hash.ts";
import { isName } from "../util/name.ts";
import { parseDateOrTime } from "../util/rfc3339.ts";
import type { GrantConfig, KeyConfig } from "./config.ts";
import { convert, invalid, object, text, value } from "./fields.ts";

/** A right by its name. */
export const rightSchema: z.ZodType<Right, Right> = z.enum(rights).meta({ tsType: "Right" });

const names = z.array(text("a name, in which * matches any characters", isName), "a list of names");

const scopes = {
  streams: names.optional().describe("Streams. Default: all."),
  routes: names
    .optional()
    .describe("Routes, by their path patterns: `/api/**` is the name of that route. Default: all."),
  channels: names
    .optional()
    .describe(
      "Channels; with a list, events without a channel are left out. Default: all channels, and events without a channel.",
    ),
  broadcast: z
    .boolean()
    .optional()
    .describe(
      "With `channels`: whether a subscriber that requests no channel by name also gets events without a channel. It never allows publishing them. Default: `false`.",
    ),
  events: names.optional().describe("Event types. Default: all."),
  filter: z
    .string("a filter expression")
    .optional()
    .describe(
      "A [filter expression](../guides/filters.md): subscribers get only the events that match. Default: all events.",
    ),
};

const can = z
  .array(rightSchema, "a list of rights")
  .default(["subscribe"])
  .describe("Rights: `subscribe`, `publish`, `proxy`, `admin`, `inspect`.");

const grant = object({ can, ...scopes }).meta({
  title: "GrantConfig",
  description: "The rights of a client, and what they apply to. In names, `*` matches any characters.",
});

/** A grant, or only its rights. */
export const grantSchema: z.ZodType<Grant, readonly Right[] | GrantConfig> = convert(
  z.union([z.array(rightSchema), grant], {
    error: "a list of rights, or a section with can, streams, routes, channels, events and filter",
  }),
  (granted): Grant => ("can" in granted ? granted : { can: granted }),
  (granted) => (Object.keys(granted).length === 1 ? [...granted.can] : ({ ...granted } as z.output<typeof grant>)),
);

const keyName = text("a name of letters, digits, _ . and -", (name) => /^[\w.-]{1,64}$/.test(name));

const keyHash = text(hashExpected, (hash) => readHash(hash) !== undefined, { secret: true });

const time = value<string, number>({
  expected: "an RFC 3339 time such as 2027-01-31T09:00:00Z",
  type: "string",
  parse: (input) => {
    const ms = typeof input === "string" ? parseDateOrTime(input) : NaN;
    return Number.isNaN(ms) ? invalid : ms;
  },
  print: (ms) => new Date(ms).toISOString(),
});

const key = convert(
  object({
    name: keyName.describe("The key's name in logs and metrics."),
    hash: keyHash.describe(
      "The hash of the key, which may be any secret: `sha256:<hex>`, `sha256:<salt>:<hex>` (of the salt followed by the secret), or scrypt in the PHC string format. `spillway key hash` prints it.",
    ),
    expires: time.optional().describe("When the key expires: an RFC 3339 time. Default: never."),
    can,
    ...scopes,
  }),
  ({ name, hash, expires, ...granted }): KeyOptions => ({ name, hash, grant: granted, expiresAt: expires }),
  ({ grant: granted, expiresAt, ...rest }) => ({
    ...rest,
    expires: expiresAt,
    ...(granted as z.output<typeof grant>),
  }),
).meta({ title: "KeyConfig", description: "An API key, with its grant." });

/** The API keys. */
export const keysSchema: z.ZodType<readonly KeyOptions[], readonly KeyConfig[] | undefined> = z
  .array(key, "a list of keys")
  .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, "distinct names")
  .refine((list) => new Set(list.map(({ hash }) => hash)).size === list.length, "distinct hashes")
  .prefault([]);
