import type { Audience } from "../http/served.ts";
import type { Audiences } from "./messages.ts";

/** Nobody, ever. */
export const nobody: Audience = {
  subscribers: 0,
  lag: 0,
  unsent: 0,
  delivered: 0,
  closed: { client: 0, stalled: 0, drain: 0, store: 0 },
};

/** Both together: the slowest of all, and the sum of everything else. */
export function addAudiences(a: Audience, b: Audience): Audience {
  return {
    subscribers: a.subscribers + b.subscribers,
    lag: Math.max(a.lag, b.lag),
    unsent: a.unsent + b.unsent,
    delivered: a.delivered + b.delivered,
    closed: {
      client: a.closed.client + b.closed.client,
      stalled: a.closed.stalled + b.closed.stalled,
      drain: a.closed.drain + b.closed.drain,
      store: a.closed.store + b.closed.store,
    },
  };
}

/** What is left of an audience when its process has ended: what it counted. */
export function withoutPresence({ delivered, closed }: Audience): Audience {
  return { ...nobody, delivered, closed };
}

/** How many subscribers there are to all streams. */
export function countSubscribers(audiences: Audiences): number {
  return Object.values(audiences).reduce((sum, { subscribers }) => sum + subscribers, 0);
}
