import type { DeliveryErrorCode } from "./endpoint.ts";
import type { StoredLane } from "./lanes.ts";
import type { DeliveryOrder } from "./options.ts";

/** What a delivery has done since it was created. */
export interface DeliveryCounts {
  /** Events that the endpoint has accepted. */
  readonly delivered: number;
  /** Failed attempts by error code. */
  readonly failures: Readonly<Partial<Record<DeliveryErrorCode, number>>>;
  /** Events that were given up: dead letters, or dropped. */
  readonly dead: number;
  /** Dead letters that were sent again, and accepted. */
  readonly resent: number;
  /** Gaps: retention removed events, or the log was replaced, before they were delivered. */
  readonly gaps: number;
}

/** A range of dead letters to send again. */
export interface Replay {
  readonly epoch: string;
  /** Letters up to this number of the stream were sent again. */
  readonly after: number;
  /** The last number to send again; equal to `after` if there is nothing to do. */
  readonly upTo: number;
}

/** Where a delivery stands. It is stored as a whole. */
export interface DeliveryState {
  readonly stream: string;
  readonly epoch: string;
  readonly order: DeliveryOrder;
  /** All events up to this number are delivered, or in a lane. */
  readonly taken: number;
  readonly lanes: readonly StoredLane[];
  /** Why nothing is sent: a command, or an answer 410. */
  readonly stopped: "paused" | "gone" | undefined;
  readonly replay: Replay | undefined;
  readonly counts: DeliveryCounts;
  /** The code of the last attempt, if it has failed. */
  readonly lastError: DeliveryErrorCode | undefined;
  /** When the endpoint last accepted an event, in ms since 1970; 0 if it never has. */
  readonly deliveredAt: number;
  /** Commands up to this number of the journal were carried out. */
  readonly handled: number;
}
