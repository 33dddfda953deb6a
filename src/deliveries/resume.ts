import { formatCursor } from "../log/cursor.ts";
import type { Log } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import type { TakenEvent } from "./lanes.ts";
import type { DeliveryOptions } from "./options.ts";
import { gapEvent } from "./reader.ts";
import type { DeliveryCounts, DeliveryState } from "./state.ts";

/** Where a run starts. */
export interface Resumption {
  readonly initial: DeliveryState;
  /** What is sent before the events behind `initial.taken`. */
  readonly first: readonly TakenEvent[];
}

/** The counts of a new delivery. */
export const noCounts: DeliveryCounts = { delivered: 0, failures: {}, dead: 0, resent: 0, gaps: 0 };

/** The position from which a run continues: that of the last state, as far as the configuration and the log still fit. */
export function resumeFrom(
  last: DeliveryState | undefined,
  options: DeliveryOptions,
  log: Log,
  logger: Logger,
): Resumption {
  const { head, earliest } = log.state();
  const { stream, order } = options;
  const kept = last ?? {
    stopped: undefined,
    replay: undefined,
    counts: noCounts,
    lastError: undefined,
    deliveredAt: 0,
    handled: 0,
  };
  const at = (taken: number, lanes: DeliveryState["lanes"] = []): DeliveryState => ({
    ...kept,
    stream,
    epoch: log.epoch,
    order,
    taken,
    lanes,
  });

  if (!last || last.stream !== stream) return { initial: at(options.from === "now" ? head : earliest - 1), first: [] };
  if (last.epoch !== log.epoch) {
    logger.warn({}, "the stream has a new log: the delivery starts at its beginning");
    const cursor = formatCursor(log.epoch, earliest);
    const gap = gapEvent({ reason: "unknown", requested: null, earliest: cursor, lost: null }, earliest);
    return { initial: at(earliest - 1), first: [gap] };
  }
  if (last.order === order || last.lanes.length === 0) return { initial: at(last.taken, last.lanes), first: [] };
  // Lanes of another order cannot be continued, so what follows the first undelivered event is sent again.
  return { initial: at(Math.min(last.taken, ...last.lanes.map(([, after]) => after))), first: [] };
}
