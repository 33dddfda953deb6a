/** What only the primary can decide, as a worker asks for it. */
import type { Tickets } from "../access/tickets.ts";
import type { Admission } from "../limits/admission.ts";
import type { Limits } from "../limits/options.ts";
import type { PrimaryLink } from "./primary-link.ts";

/** Counts connections and requests over all workers, as far as the limits of the moment want it. */
export function createRemoteAdmission(primary: PrimaryLink, limits: () => Limits): Admission {
  return {
    async arrive(arrival) {
      const { requestRate, connectRate } = limits();
      if (arrival.address !== undefined && (requestRate || (arrival.subscribes && connectRate))) {
        await primary.call("arrive", arrival);
      }
    },
    async connect(caller) {
      const place = await primary.call("connect", caller);
      let held = true;
      return () => {
        if (held) primary.send({ kind: "release", place });
        held = false;
      };
    },
    async publish(caller) {
      if (limits().publishRate) await primary.call("publish", caller);
    },
  };
}

/** Tickets that any worker takes. */
export function createRemoteTickets(primary: PrimaryLink): Tickets {
  return {
    issue: (request) => primary.call("issue", request),
    redeem: (ticket) => primary.call("redeem", ticket),
    use: (ticket, number) => primary.send({ kind: "use", ticket, number }),
    // The primary does so by itself.
    review() {},
  };
}
