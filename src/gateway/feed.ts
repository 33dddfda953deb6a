import type { LeaseChange } from "../http/gateway-context.ts";
import type { ControlEvents } from "../hub/control.ts";
import type { Coordination } from "../log/coordination.ts";
import { createUpstream } from "../upstream/create-upstream.ts";
import type { CreateSource } from "../upstream/source.ts";
import type { Upstream, UpstreamState } from "../upstream/upstream.ts";
import type { Logger } from "../util/logger.ts";
import type { Ingest } from "./ingest.ts";
import { createLeadership, type Leadership } from "./leadership.ts";
import type { StreamUpstreamOptions } from "./options.ts";

/** The upstream states that are announced to subscribers. */
export type Announced = ControlEvents["spillway.upstream"]["state"];

/** A stream's upstream in this process. */
export interface Feed {
  readonly upstream: Upstream;
  /** Opens and closes the upstream on demand; absent if it stays open. */
  readonly demand: Demand | undefined;
  /** Decides whether the upstream runs on this node; absent if nodes do not share the store. */
  readonly leadership: Leadership | undefined;
  start(): void;
  stop(): Promise<void>;
}

/** How often this node has acquired, lost and released the lease to ingest. */
export type LeaseChanges = Record<LeaseChange, number>;

/** What a feed needs in addition to its options. */
export interface FeedParts {
  readonly stream: string;
  readonly announce: (state: Announced) => void;
  readonly coordination: Coordination | undefined;
  /** How long a lease to ingest lasts without renewal, in ms. */
  readonly ttl: number;
  /** Counts the changes of the lease. */
  readonly changes: LeaseChanges;
  readonly logger: Logger;
}

/** Creates the upstream with its demand and leadership. Each change of its state is announced once. */
export function createFeed(
  options: StreamUpstreamOptions,
  createSource: CreateSource,
  { deliver, history }: Ingest,
  parts: FeedParts,
): Feed {
  const { stream, announce, coordination, ttl, changes, logger } = parts;
  let announced: UpstreamState = "idle";
  const upstream = createUpstream(options, createSource, {
    stream,
    history,
    deliver,
    logger,
    onState({ state }) {
      if (state === "connecting" || state === announced) return;
      announced = state;
      announce(state);
    },
  });
  const always = options.connect === "always";
  const onChange = (change: LeaseChange): void => void changes[change]++;
  const leadership =
    coordination && createLeadership(upstream, { stream, coordination, ttl, always, onChange, logger });
  const open = (): void => (leadership ? leadership.need(true) : upstream.start());
  const close = (): void => (leadership ? leadership.need(false) : void upstream.stop());
  const demand = always ? undefined : createDemand(options.linger, open, close);
  return {
    upstream,
    demand,
    leadership,
    start() {
      if (leadership) leadership.start();
      else if (always) upstream.start();
    },
    async stop() {
      demand?.end();
      await leadership?.stop();
      await upstream.stop();
    },
  };
}

/** Starts a resource with its first user, and stops it some time after the last user has left. */
interface Demand {
  /** Adds a user; returns the function that removes it. */
  hold(): () => void;
  /** Starts and stops nothing any more. */
  end(): void;
}

/**
 * Creates the demand for a resource. `start` and `stop` must be idempotent; `stop` is called `linger` ms after the last
 * user has left.
 */
function createDemand(linger: number, start: () => void, stop: () => void): Demand {
  let holds = 0;
  let timer: NodeJS.Timeout | undefined;
  let ended = false;

  const update = (): void => {
    clearTimeout(timer);
    if (ended) return;
    if (holds > 0) start();
    else timer = setTimeout(stop, linger);
  };

  return {
    hold() {
      let held = true;
      holds++;
      update();
      return () => {
        if (held) holds--;
        held = false;
        update();
      };
    },
    end() {
      ended = true;
      clearTimeout(timer);
    },
  };
}
