/** The options of a delivery, checked and complete. Durations are in ms. */

/**
 * The order in which events are sent: those of a channel one after the other, all one after the other, or in any order.
 */
export type DeliveryOrder = "channel" | "strict" | "none";

/** How a delivery's requests are signed. */
export interface SigningOptions {
  /** Standard Webhooks 1.0. */
  readonly scheme: "standard";
  /** Each adds a signature: `whsec_` and base64. */
  readonly secrets: readonly string[];
}

/** A stream's events, sent to an endpoint as webhooks. */
export interface DeliveryOptions {
  readonly stream: string;
  /** The endpoint: http or https, without credentials. */
  readonly url: string;
  /** Names and patterns; absent for every channel and events without one. */
  readonly channels: readonly string[] | undefined;
  /** Names and patterns; absent for every type. */
  readonly events: readonly string[] | undefined;
  /** An expression in CEL that must hold as well; absent for every event. */
  readonly filter: string | undefined;
  /** Absent: requests are not signed. */
  readonly sign: SigningOptions | undefined;
  /** Header fields of every request, with lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** How long an attempt may take, from the connection to the end of the response. */
  readonly timeout: number;
  readonly order: DeliveryOrder;
  /** The number of concurrent requests. */
  readonly parallel: number;
  /** Where a new delivery starts. */
  readonly from: "now" | "earliest";
  /** The delays between the attempts for an event. After the last one has failed, it becomes a dead letter. */
  readonly retry: readonly number[];
  /** Whether the endpoint may have an address that is not public. */
  readonly allowPrivate: boolean;
  /** The stream that gets events which could not be delivered; absent to drop them. */
  readonly dead: string | undefined;
}

/** Deliveries by name. */
export type Deliveries = Readonly<Record<string, DeliveryOptions>>;
