/** What an author of a store needs: the log port and the rules that every store applies alike. */
export { errorCodes, SpillwayError, type ErrorCode, type ErrorDetails } from "../errors.ts";
export type { Coordination, Lease, LeaseHolder } from "./coordination.ts";
export { eventBytes, eventOverhead, textBytes } from "./event-bytes.ts";
export { matches } from "./filter.ts";
export { idempotencyAge, keyName, replayAppend, type RememberedAppend } from "./idempotency.ts";
export {
  maxAlike,
  reservedPrefix,
  type Appended,
  type AppendOptions,
  type EventCondition,
  type FilterPatterns,
  type FindOptions,
  type Idempotency,
  type Log,
  type LogEvent,
  type LogFilter,
  type LogHead,
  type LogHint,
  type LogOptions,
  type LogPage,
  type LogPosition,
  type LogRemoval,
  type LogState,
  type LogStore,
  type NewEvent,
  type ReadOptions,
  type Retention,
  type StoreConnection,
} from "./log.ts";
export { createWatchers, type Watchers } from "./watchers.ts";
