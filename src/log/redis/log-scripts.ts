import { newEpoch } from "../cursor.ts";
import { LogReplacedError, type OpenLog } from "../engine/driver.ts";
import type { Connection } from "./connection.ts";
import type { Command, Reply } from "./driver.ts";
import { eventsKey, type Keys, keysOf, toState } from "./schema.ts";
import { evaluate, type Script } from "./script.ts";
import { checkScript } from "./scripts.ts";

/** Runs the scripts of one log. */
export interface LogScripts {
  readonly keys: Keys;
  /** The key of the events. */
  readonly events: string;
  /**
   * Runs a script, which first checks that the server still has the log that `log` knows.
   * @throws {LogReplacedError} if it does not.
   */
  run(on: Pick<Connection, "send">, log: OpenLog, script: Script, args: Command, knownTime?: number): Promise<Reply>;
}

/** A log that is open, and its scripts. */
export interface FollowedLog {
  readonly log: OpenLog;
  readonly scripts: LogScripts;
}

/** Makes the scripts of a stream's log of one epoch. */
export function createLogScripts(prefix: string, stream: string, epoch: string): LogScripts {
  const keys = keysOf(prefix, stream);
  const { meta, ids, keys: used, ages, senders, lease, places } = keys;
  const events = eventsKey(prefix, stream, epoch);
  // The epoch that follows if the log turns out to have lost events.
  const nextEpoch = newEpoch();
  const names = [meta, events, eventsKey(prefix, stream, nextEpoch), ids, used, ages, senders, lease, places];
  return {
    keys,
    events,
    async run(on, log, script, args, knownTime = 0) {
      const known = [epoch, nextEpoch, String(log.known.head), String(knownTime)];
      const reply = await evaluate(on, script, names, [...known, ...args]);
      if (reply === null) throw new LogReplacedError();
      return reply;
    },
  };
}

/** Checks that the server still has all that is known of a log, and reports the log's state. */
export async function checkLog(on: Pick<Connection, "send">, { log, scripts }: FollowedLog): Promise<void> {
  try {
    log.observe(toState(await scripts.run(on, log, checkScript, [], log.known.lastTime))!);
    if (log.behind) log.catchUp();
  } catch (error) {
    if (!(error instanceof LogReplacedError)) throw error;
    log.replace();
  }
}
