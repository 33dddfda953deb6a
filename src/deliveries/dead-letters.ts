import type { Log } from "../log/log.ts";
import { parseJsonObject } from "../util/json-object.ts";
import type { DeliveryErrorCode } from "./endpoint.ts";
import type { Webhook } from "./webhook.ts";

/** Why an event was given up. */
export interface Reason {
  /** The code of the last attempt. */
  readonly code: DeliveryErrorCode;
  /** The status of its response, if there was one. */
  readonly status: number | undefined;
  readonly attempts: number;
}

/** The dead letters of one delivery in a stream, which several may share. */
export interface DeadLetters {
  readonly log: Log;
  /** Appends an event. Repeated for the same event and `version`, it appends nothing. */
  add(webhook: Webhook, reason: Reason, version?: number): Promise<void>;
  /** Reads on behind a number, up to the next letter. */
  next(after: number): Promise<{
    /** The number of the letter, or that up to which there is none. */
    readonly seq: number;
    readonly letter: DeadLetter | undefined;
  }>;
}

/** A dead letter, to be sent again. */
export interface DeadLetter {
  readonly webhook: Webhook;
  /** The attempts that have failed. */
  readonly attempts: number;
}

/** A stream as dead letters need it. */
export interface DeadStream {
  readonly log: Log;
  readonly append: Log["append"];
}

/** The type of the events that are dead letters; their channel is the name of the delivery. */
const letterType = "dead-letter";

/** Makes the dead letters of a delivery. */
export function createDeadLetters(delivery: string, { log, append }: DeadStream): DeadLetters {
  return {
    log,
    async add(webhook, reason, version = 0) {
      const data = JSON.stringify({ delivery, ...webhook, ...reason });
      const key = `${webhook.webhookId}:${version}`;
      await append([{ event: letterType, data, channel: delivery, upstreamId: undefined }], {
        idempotency: { owner: `delivery:${delivery}`, key, fingerprint: key },
      });
    },
    async next(after) {
      const filter = { channels: [delivery], events: [letterType] };
      const { events, scanned } = await log.read(after, { filter, limit: 1 });
      const found = events.find(({ event }) => event === letterType);
      // Only what the gateway itself has appended is sent, since it will be signed.
      return { seq: scanned, letter: found && !found.published ? toLetter(found.data) : undefined };
    },
  };
}

function toLetter(text: string): DeadLetter | undefined {
  const letter = parseJsonObject(text) as Partial<Webhook & Reason>;
  const { id, webhookId, event, channel, data, time, attempts = 0 } = letter;
  const isWhole = [id, webhookId, event, data].every((member) => typeof member === "string");
  if (!isWhole || typeof time !== "number") return undefined;
  return { webhook: { id, webhookId, event, channel, data, time } as Webhook, attempts };
}
