import type { LeaseChange } from "../http/gateway-context.ts";
import type { ControlEvents } from "../hub/control.ts";
import type { Coordination } from "../log/coordination.ts";
import { createUpstream } from "../upstream/create-upstream.ts";
import type { Upstream, UpstreamState } from "../upstream/upstream.ts";
import type { Logger } from "../util/logger.ts";
import type { Ingest } from "./ingest.ts";
import { createLeadership, type Leadership } from "./leadership.ts";
import type { StreamUpstreamOptions } from "./options.ts";

/** What subscribers are told of an upstream. */
export type Announced = ControlEvents["spillway.upstream"]["state"];

/** A stream's upstream in this process. */
export interface Feed {
  readonly upstream: Upstream;
  /** What opens and closes it; absent where it stays open. */
  readonly demand: Demand | undefined;
  /** What says whether it runs on this node; absent where there is but one. */
  readonly leadership: Leadership | undefined;
  start(): void;
  stop(): Promise<void>;
}

/** How often this node took, lost and released the right to ingest. */
export type LeaseChanges = Record<LeaseChange, number>;

/** What a feed needs beside its options. */
export interface FeedParts {
  readonly stream: string;
  readonly announce: (state: Announced) => void;
  readonly coordination: Coordination | undefined;
  /** How long the right to ingest lasts that is not renewed, in ms. */
  readonly ttl: number;
  /** Where the leases are counted. */
  readonly changes: LeaseChanges;
  readonly logger: Logger;
}

/** The upstream, and what opens and closes it; the flow's begin and its break are announced once each. */
export function createFeed(options: StreamUpstreamOptions, { deliver, history }: Ingest, parts: FeedParts): Feed {
  const { stream, announce, coordination, ttl, changes, logger } = parts;
  let announced: UpstreamState = "idle";
  const upstream = createUpstream(options, {
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

/** Starts a resource with the first who needs it, and stops it a while after the last. */
interface Demand {
  /** One more; returns the way to give it back. */
  hold(): () => void;
  /** No more starts. */
  end(): void;
}

/** Makes the demand for what `start` and `stop` govern; both are idempotent. `linger` in ms. */
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
