import type { Gap } from "./events.ts";
import type { UpstreamState } from "./state.ts";

/** What a connection received. */
export interface Message {
  readonly type: string;
  readonly raw: string;
  /** The position after it. */
  readonly id: string;
  /** Set if it is not an event of the stream: the data of one of the server itself, such as `spillway.gap`; empty for a mere id. */
  readonly control?: Control | undefined;
  /** Whether all events up to here have been received that the log held when the connection was opened. */
  readonly caughtUp?: boolean | undefined;
}

/** What control events carry, as far as it is used. */
export interface Control {
  readonly client?: string;
  readonly cursor?: string;
  /** Only in `connected`. */
  readonly head?: string;
  /** Only in `connected`. */
  readonly heartbeat?: number;
  readonly upstream?: UpstreamState;
  readonly state?: UpstreamState;
  readonly reason?: Gap["reason"];
  readonly lost?: number | null;
}
