import type { DeliveryCommand } from "../http/gateway-context.ts";
import { LogFollower } from "../hub/log-follower.ts";
import type { Log, LogEvent, LogStore, NewEvent } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import type { DeliveryState } from "./state.ts";

/**
 * The log of a delivery's own: the states that the running node has stored, and the commands that any node has received.
 * Every node follows it.
 */
export interface Journal {
  /** The last stored state; `undefined` for a new delivery. */
  readonly state: DeliveryState | undefined;
  /** The number of the last entry that was read. */
  readonly head: number;
  /** The commands that no stored state has handled. */
  readonly commands: readonly PendingCommand[];
  /** Resolves when everything was read that the store has. */
  catchUp(): Promise<void>;
  /**
   * Stores a state. `fence` is that of the lease under which the delivery runs.
   * @throws {SpillwayError} `lease-lost`, and the other errors of an append.
   */
  save(state: DeliveryState, fence: number | undefined): Promise<void>;
  /** Appends a command and resolves to its number. */
  command(command: DeliveryCommand): Promise<number>;
  /** Stops following. */
  stop(): void;
}

/** A command with its number in the journal. */
export interface PendingCommand {
  readonly seq: number;
  readonly command: DeliveryCommand;
}

/** How the name of a delivery's journal begins. No stream can have such a name. */
export const journalPrefix = "_delivery_";

/** A state is some ten kilobytes at most, so many of them fit. Only the last one is needed. */
const retention = { age: undefined, events: undefined, bytes: 4 * 1024 * 1024 };

/** Opens the journal of a delivery, and calls back after each new entry. */
export async function openJournal(
  store: LogStore,
  name: string,
  onEntry: () => void,
  logger: Logger,
): Promise<Journal> {
  const log = await store.open(`${journalPrefix}${name}`, { retention });
  let state: DeliveryState | undefined;
  let commands: PendingCommand[] = [];

  function take({ event, data, seq }: LogEvent): void {
    if (event === "command") commands.push({ seq, command: data as DeliveryCommand });
    else {
      state = JSON.parse(data) as DeliveryState;
      const { handled } = state;
      commands = commands.filter((each) => each.seq > handled);
    }
    onEntry();
  }

  const follower = new LogFollower(log, take, logger);
  follower.head = await startOf(log);
  await follower.start();
  await follower.catchUp();

  return {
    get state() {
      return state;
    },
    get head() {
      return follower.head;
    },
    get commands() {
      return commands;
    },
    catchUp: follower.catchUp,
    async save(next, fence) {
      await log.append([entry("state", JSON.stringify(next))], { fence });
    },
    async command(command) {
      const { last } = await log.append([entry("command", command)]);
      return last;
    },
    stop: () => follower.stop(),
  };
}

/** Behind the commands that the last state has handled. Others may stand before the state. */
async function startOf(log: Log): Promise<number> {
  const last = (await log.find({ last: 1, filter: { events: ["state"] } })) ?? 0;
  const { events } = await log.read(last, { limit: 1 });
  const [found] = events;
  if (found?.event !== "state") return 0;
  return Math.min(last, (JSON.parse(found.data) as DeliveryState).handled);
}

function entry(event: "state" | "command", data: string): NewEvent {
  return { event, data, channel: undefined, upstreamId: undefined };
}
