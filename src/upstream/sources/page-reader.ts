import type { Attempt } from "../source.ts";
import type { UpstreamEvent } from "../upstream.ts";
import type { PollPosition } from "./poll-position.ts";

/** Turns the content of a response into events. */
export interface PageReader {
  /** The events that are not in the log yet, and what they change in the position. */
  read(content: unknown, position: PollPosition, attempt: Attempt): Promise<PageEvents>;
}

/** What a page contains that is new. */
export interface PageEvents {
  readonly events: readonly UpstreamEvent[];
  /** Whether events may be missing before these. */
  readonly gap: boolean;
  readonly change: PollPosition;
  /** Called once the events are durable. */
  commit(): void;
}
