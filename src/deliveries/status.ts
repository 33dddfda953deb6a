import type { DeliveryStatus } from "../http/gateway-status.ts";
import { formatCursor } from "../log/cursor.ts";
import type { Log } from "../log/log.ts";
import { noCounts } from "./resume.ts";
import type { Activity } from "./run.ts";
import type { DeliveryState } from "./state.ts";

/** The status of a delivery, from its state if it has one, and from its activity if it runs in this process. */
export function statusOf(
  stream: string,
  log: Log | undefined,
  state: DeliveryState | undefined,
  activity: Activity | undefined,
): DeliveryStatus {
  const { failures, ...counts } = state?.counts ?? noCounts;
  return {
    stream,
    state: state?.stopped ?? working(activity),
    ...positionOf(log, state),
    waiting: activity?.waiting ?? state?.lanes.length ?? 0,
    ...counts,
    failed: Object.values(failures).reduce((sum, count) => sum + count, 0),
    failures,
    lastError: state?.lastError ?? null,
    lastDelivered: time(state?.deliveredAt),
    retryAt: time(activity?.retryAt),
  };
}

function working(activity: Activity | undefined): DeliveryStatus["state"] {
  if (!activity) return "standby";
  return activity.failing ? "failing" : "active";
}

function positionOf(log: Log | undefined, state: DeliveryState | undefined): Pick<DeliveryStatus, "cursor" | "lag"> {
  if (!state) return { cursor: null, lag: null };
  const isSame = state.epoch === log?.epoch;
  return {
    cursor: formatCursor(state.epoch, state.taken),
    lag: isSame ? Math.max(0, log.state().head - state.taken) : null,
  };
}

function time(ms: number | undefined): string | null {
  return ms ? new Date(ms).toISOString() : null;
}
