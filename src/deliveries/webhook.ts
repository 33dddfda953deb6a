import { createHmac } from "node:crypto";
import { formatCursor } from "../log/cursor.ts";
import type { TakenEvent } from "./lanes.ts";
import type { DeliveryOptions, SigningOptions } from "./options.ts";

/** An event as it is sent to an endpoint. */
export interface Webhook {
  /** The event's id in the stream: `<epoch>.<seq>`. */
  readonly id: string;
  /** The same for all attempts, so that the receiver can recognize an event that it already has. */
  readonly webhookId: string;
  /** The event's type. */
  readonly event: string;
  readonly channel: string | undefined;
  /** The body. */
  readonly data: string;
  /** When the event was appended to the stream, in ms since 1970. */
  readonly time: number;
}

/** Makes the webhook of an event in the log with this epoch. */
export function toWebhook({ seq, event, channel, data, time, isGap }: TakenEvent, epoch: string): Webhook {
  // Not the cursor itself: an id that is signed must not contain a full stop (Standard Webhooks, "Signature scheme").
  const webhookId = `${epoch}-${seq}${isGap ? "-gap" : ""}`;
  return { id: formatCursor(epoch, seq), webhookId, event, channel, data, time };
}

/** Makes the header fields of a request: names and values in turn. */
export type HeadersOf = (webhook: Webhook, attempt: number, now: number) => string[];

/** Makes the function that builds the header fields of an attempt, which is numbered from 1. */
export function createHeaders(name: string, options: DeliveryOptions, version: string): HeadersOf {
  const sign = options.sign && createSigner(options.sign);
  const own = { "user-agent": `Spillway/${version}`, ...options.headers };
  const fixed = Object.entries(own).flat().concat("spillway-delivery", name, "spillway-stream", options.stream);
  return (webhook, attempt, now) => {
    const { id, webhookId, event, channel, data, time } = webhook;
    const timestamp = String(Math.floor(now / 1000));
    const headers = fixed.concat(
      "content-type",
      isJson(data) ? "application/json" : "text/plain; charset=utf-8",
      "webhook-id",
      webhookId,
      "webhook-timestamp",
      timestamp,
      "spillway-id",
      id,
      "spillway-event",
      headerText(event),
      "spillway-time",
      new Date(time).toISOString(),
      "spillway-attempt",
      String(attempt),
    );
    if (channel !== undefined) headers.push("spillway-channel", headerText(channel));
    if (sign) headers.push("webhook-signature", sign(webhook, timestamp));
    return headers;
  };
}

/** Standard Webhooks 1.0, "Signature scheme": an HMAC over id, timestamp and body, for each secret. */
function createSigner({ secrets }: SigningOptions): (webhook: Webhook, timestamp: string) => string {
  const keys = secrets.map((secret) => Buffer.from(secret.replace(/^whsec_/, ""), "base64"));
  return ({ webhookId, data }, timestamp) => {
    const signed = `${webhookId}.${timestamp}.${data}`;
    return keys.map((key) => `v1,${createHmac("sha256", key).update(signed).digest("base64")}`).join(" ");
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Percent-encodes what a header field cannot carry (RFC 9110 §5.5), and the percent sign. */
function headerText(text: string): string {
  if (/^[!-$&-~]*$/.test(text)) return text;
  return text.replaceAll(/[^\u0020-\u007e]+|%|^ | $/g, (part) => encodeURIComponent(part.toWellFormed()));
}
