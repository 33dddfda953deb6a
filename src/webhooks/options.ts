/** How a webhook's sender signs it. */
export const webhookSchemes = ["standard", "github", "stripe", "slack", "shopify", "hmac", "none"] as const;

/** One of {@link webhookSchemes}. */
export type WebhookScheme = (typeof webhookSchemes)[number];

/** The digest of an HMAC signature. */
export type HmacAlgorithm = "sha1" | "sha256" | "sha512";

/** A signature in one header, an HMAC. */
export interface HmacOptions {
  /** The header of the signature, in lower case. */
  readonly header: string;
  readonly algorithm: HmacAlgorithm;
  readonly encoding: "hex" | "base64";
  /** Stands before the signature in the header. */
  readonly prefix: string;
  /** The header of the time at which it was signed, in lower case; absent if no time is signed. */
  readonly timestamp: string | undefined;
  /** What is signed: a text with `{body}` once, and `{timestamp}` if there is one. */
  readonly content: string;
}

/** Where values of an event are in a webhook: the first source that has one counts. */
export interface WebhookFields {
  /** `header:<name>` in lower case, or JSON pointers into the body. */
  readonly event: readonly string[];
  readonly channel: readonly string[];
  /** The id of the delivery, by which repeated ones are recognised. */
  readonly id: readonly string[];
  /** JSON pointers into the body. Empty for the whole body. */
  readonly data: readonly string[];
}

/** The webhooks that a stream accepts. */
export interface WebhookOptions extends WebhookFields {
  readonly scheme: WebhookScheme;
  /** Any of them may have signed. Empty for the scheme `none`. */
  readonly secrets: readonly string[];
  /** How far the signed time may be from the current one, in ms. */
  readonly tolerance: number;
  /** For the scheme `hmac`. */
  readonly hmac: HmacOptions | undefined;
  /** Whether unsigned webhooks are accepted on an address that other machines can reach. */
  readonly unverified: boolean;
}
