import type { Logger } from "../util/logger.ts";
import type { Outcome } from "./endpoint.ts";
import type { DeliveryState } from "./state.ts";

/** What the outcomes of the attempts say about the endpoint, and what they count up to. */
export interface Health {
  /** The part of the state that it keeps. */
  state(): HealthState;
  /** Whether the last attempts have all failed. */
  readonly failing: boolean;
  /** Whether sending is on hold. */
  readonly held: boolean;
  /** Whether only events that were tried before may be sent. */
  readonly cautious: boolean;
  /** When one of these two ends by itself, in ms since 1970; `Infinity` if none does. */
  readonly until: number;
  /** Notes the outcome of an attempt for the event with this id. */
  record(outcome: Outcome, id: string, isDeadLetter?: boolean): void;
  /** Notes that an event is tried for the first time. */
  tried(): void;
  /** Notes an event that was given up, or a gap. */
  add(what: "dead" | "gaps"): void;
  pause(): void;
  resume(): void;
}

export type HealthState = Pick<DeliveryState, "stopped" | "counts" | "lastError" | "deliveredAt">;

/** After this many failures in a row, a new event is tried only now and then, until the endpoint accepts one. */
const failingAfter = 10;

/** How often a new event is tried while the endpoint fails, in ms. */
const probeInterval = 30_000;

/** Continues with what was stored. */
export function createHealth({ stopped, counts: stored, ...last }: HealthState, logger: Logger): Health {
  const counts = { ...stored, failures: { ...stored.failures } };
  let why = stopped;
  let { lastError, deliveredAt } = last;
  let [failures, holdUntil, probeAt] = [0, 0, 0];

  const isFailing = (): boolean => failures >= failingAfter;

  function succeed(isDeadLetter: boolean): void {
    if (isFailing()) logger.info({}, "the endpoint accepts webhooks again");
    counts[isDeadLetter ? "resent" : "delivered"]++;
    [failures, lastError, deliveredAt] = [0, undefined, Date.now()];
  }

  return {
    state: () => ({ stopped: why, counts, lastError, deliveredAt }),
    get failing() {
      return isFailing();
    },
    get held() {
      return why !== undefined || Date.now() < holdUntil;
    },
    get cautious() {
      return isFailing() && Date.now() < probeAt;
    },
    get until() {
      return Math.min(...[holdUntil, isFailing() ? probeAt : 0].filter((time) => time > Date.now()));
    },
    record(outcome, id, isDeadLetter = false) {
      if (outcome.delivered) return succeed(isDeadLetter);
      const { code, status, retryAfter = 0 } = outcome;
      if (failures++ === 0) logger.warn({ code, status, id }, "a webhook was not accepted");
      counts.failures[code] = (counts.failures[code] ?? 0) + 1;
      lastError = code;
      if (retryAfter > 0) holdUntil = Math.max(holdUntil, Date.now() + retryAfter);
      if (code !== "delivery-gone") return;
      why = "gone";
      logger.error({ id }, "the endpoint answered 410: the delivery is disabled");
    },
    tried() {
      if (isFailing()) probeAt = Date.now() + probeInterval;
    },
    add: (what) => void counts[what]++,
    pause: () => void (why = "paused"),
    resume: () => void ([why, holdUntil, failures] = [undefined, 0, 0]),
  };
}
