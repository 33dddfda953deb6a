import type { DeliveryStatus } from "../http/gateway-status.ts";
import type { Metric, Sample } from "./definition.ts";
import type { Snapshot } from "./snapshot.ts";

/** Webhooks. If nodes share the store, only the node that runs a delivery has its metrics. */
export const deliveryMetrics: readonly Metric[] = [
  {
    name: "spillway_delivery_webhooks_total",
    type: "counter",
    help: "Events that the endpoint has accepted, since the delivery was created",
    labels: ["delivery"],
    samples: eachDelivery(({ delivered }) => delivered),
  },
  {
    name: "spillway_delivery_failures_total",
    type: "counter",
    help: "Failed attempts since the delivery was created, by error code",
    labels: ["delivery", "code"],
    samples: ({ deliveries }) =>
      running(deliveries).flatMap(([delivery, { failures }]) =>
        Object.entries(failures).map(([code, value]) => ({ labels: { delivery, code }, value })),
      ),
  },
  {
    name: "spillway_delivery_dead_letters_total",
    type: "counter",
    help: "Events that were given up, since the delivery was created",
    labels: ["delivery"],
    samples: eachDelivery(({ dead }) => dead),
  },
  {
    name: "spillway_delivery_gaps_total",
    type: "counter",
    help: "Gaps since the delivery was created: events were removed before they were delivered",
    labels: ["delivery"],
    samples: eachDelivery(({ gaps }) => gaps),
  },
  {
    name: "spillway_delivery_lag_events",
    type: "gauge",
    help: "Events of the stream that the delivery has not read yet",
    labels: ["delivery"],
    samples: eachDelivery(({ lag }) => lag ?? 0),
  },
  {
    name: "spillway_delivery_waiting",
    type: "gauge",
    help: "Channels, or events without an order, whose next event waits for a retry",
    labels: ["delivery"],
    samples: eachDelivery(({ waiting }) => waiting),
  },
  {
    name: "spillway_delivery_up",
    type: "gauge",
    help: "1 while the delivery sends, 0 while it is paused, disabled by a 410, or its last attempts have all failed",
    labels: ["delivery"],
    samples: eachDelivery(({ state }) => (state === "active" ? 1 : 0)),
  },
];

function eachDelivery(read: (delivery: DeliveryStatus) => number): (snapshot: Snapshot) => Sample<number>[] {
  return ({ deliveries }) =>
    running(deliveries).map(([delivery, status]) => ({ labels: { delivery }, value: read(status) }));
}

/** The deliveries that run on this node, so that a sum over all nodes counts each once. */
function running(deliveries: Snapshot["deliveries"]): [string, DeliveryStatus][] {
  return Object.entries(deliveries).filter(([, { leader }]) => leader !== false);
}
