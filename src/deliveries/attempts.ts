import type { Log } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import type { DeadLetter, DeadLetters } from "./dead-letters.ts";
import type { Endpoint, FailedAttempt, Outcome } from "./endpoint.ts";
import type { Health } from "./health.ts";
import type { Lane, Lanes } from "./lanes.ts";
import { toWebhook, type Webhook } from "./webhook.ts";

/** Sends webhooks, and decides what follows from the outcome. */
export interface Attempts {
  /** Makes an attempt for the first event of a lane, which is loaded. */
  send(lane: Lane): Promise<void>;
  /** Makes an attempt for a dead letter; `undefined` if it was cut off. */
  resend(letter: DeadLetter): Promise<Outcome | undefined>;
}

interface AttemptParts {
  readonly log: Pick<Log, "epoch">;
  /** The delays before the next attempts, in ms. */
  readonly retry: readonly number[];
  readonly endpoint: Endpoint;
  /** Absent: events that cannot be delivered are dropped. */
  readonly dead: DeadLetters | undefined;
  readonly lanes: Lanes;
  readonly health: Health;
  readonly logger: Logger;
  /** Aborts when the run ends: outcomes no longer count then. */
  readonly signal: AbortSignal;
}

/** The delay before the next attempt if a dead letter cannot be stored and there are no delays, in ms. */
const defaultDelay = 1_000;

export function createAttempts(parts: AttemptParts): Attempts {
  const { log, retry, endpoint, dead, lanes, health, logger, signal } = parts;

  /** Resolves to whether the event is done. */
  async function giveUp(webhook: Webhook, { code, status }: FailedAttempt, attempts: number): Promise<boolean> {
    const facts = { code, status, id: webhook.id, attempts };
    try {
      await dead?.add(webhook, { code, status, attempts });
    } catch (error) {
      logger.error({ ...facts, err: error }, "a dead letter could not be stored");
      return false;
    }
    health.add("dead");
    logger.error(facts, dead ? "a webhook became a dead letter" : "a webhook was dropped");
    return true;
  }

  async function attempt(webhook: Webhook, number: number, isDeadLetter: boolean): Promise<Outcome | undefined> {
    const outcome = await endpoint.send(webhook, number);
    if (signal.aborted) return undefined;
    health.record(outcome, webhook.id, isDeadLetter);
    return outcome;
  }

  return {
    async send(lane) {
      const event = lane.queue[0]!;
      const webhook = toWebhook(event, log.epoch);
      if (event.isGap && lane.attempts === 0) {
        health.add("gaps");
        logger.warn({ gap: event.data }, "events were removed before they were delivered");
      }
      const outcome = await attempt(webhook, lane.attempts + 1, false);
      if (!outcome) return;
      const delay = retry[lane.attempts];
      if (outcome.delivered) lanes.done(lane);
      else if (outcome.code === "delivery-gone") lanes.putBack(lane);
      else if (delay !== undefined) lanes.failed(lane, dueAfter(outcome, delay));
      else if (await giveUp(webhook, outcome, lane.attempts + 1)) lanes.done(lane);
      else lanes.failed(lane, dueAfter(outcome, retry.at(-1) ?? defaultDelay));
    },
    resend: ({ webhook, attempts }) => attempt(webhook, attempts + 1, true),
  };
}

/** When the next attempt is due, in ms since 1970: after the delay, up to a tenth later so that retries spread. */
function dueAfter({ retryAfter = 0 }: FailedAttempt, delay: number): number {
  return Date.now() + Math.max(delay * (1 + Math.random() / 10), retryAfter);
}
