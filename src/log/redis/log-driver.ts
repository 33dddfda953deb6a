import { randomUUID } from "node:crypto";
import { groupLength } from "../engine/append-queue.ts";
import {
  type AlikeEvent,
  type Batch,
  type GroupResult,
  type LogDriver,
  LogReplacedError,
  type ScanRange,
  type ScanStep,
  type StoredState,
  type TrimBounds,
  type TrimStep,
} from "../engine/driver.ts";
import { loggedEvents } from "../engine/logged-events.ts";
import { maxAlike } from "../log.ts";
import type { Connection } from "./connection.ts";
import type { Command, Reply } from "./driver.ts";
import { entriesFor, toEntries, toEvent } from "./entry.ts";
import { driverFailure, UnansweredError } from "./failure.ts";
import { type GroupAnswer, groupArguments, toOutcomes } from "./group.ts";
import { boundKeys } from "./idempotency-keys.ts";
import type { Link } from "./link.ts";
import type { FollowedLog } from "./log-scripts.ts";
import { numbersOf, placesCommand } from "./places.ts";
import { stateFields, toState } from "./schema.ts";
import { appendScript, sinceScript, trimScript } from "./scripts.ts";
import type { Server } from "./server.ts";

/** What the driver of a log needs of its store. */
export interface RedisLogDependencies extends FollowedLog {
  readonly server: Pick<Server, "writer" | "reader">;
  readonly place: string;
  /** Replicas that must have an append before it resolves. */
  readonly wait: number;
  readonly now: () => number;
}

/** A group ends with the append that reaches one of these: it bounds how long the server is busy with it. */
const groupBounds = { events: 2_048, characters: 2 * 1024 * 1024 };

/** What a look at the log found, in one state of the server. */
interface Snapshot {
  readonly state: StoredState;
  readonly replies: readonly Reply[];
}

/** The driver of one log. A class, since all of it concerns one log. */
export class RedisLogDriver implements LogDriver {
  readonly failure: LogDriver["failure"];
  readonly #dependencies: RedisLogDependencies;
  /** By this the server tells the groups of this log from those of other nodes. */
  readonly #sender: string = randomUUID();

  constructor(dependencies: RedisLogDependencies) {
    this.#dependencies = dependencies;
    this.failure = (error) => driverFailure(error, dependencies.place);
  }

  groupLength(batches: readonly Batch[]): number {
    return groupLength(batches, groupBounds);
  }

  async append(number: number, group: readonly Batch[]): Promise<GroupResult> {
    return toResult(group, await this.#callAppend(number, group));
  }

  async settle(number: number, group: readonly Batch[]): Promise<GroupResult | undefined> {
    // An empty group under its number: without results the group was not appended, and never will be.
    const answer = await this.#callAppend(number, []);
    return answer.results.length > 0 ? toResult(group, answer) : undefined;
  }

  async scan({ direction, filter, from, limit, maxBytes, live }: ScanRange): Promise<ScanStep> {
    const { server, scripts, log } = this.#dependencies;
    const forward = direction === "forward";
    // Where all match it need not read more than is wanted.
    const exact = forward && filter === undefined;
    const count = exact ? Math.min(entriesFor(log.known, maxBytes), limit) : entriesFor(log.known);
    const range = forward ? [`${from + 1}-0`, "+"] : [`${from - 1}-0`, "-"];
    const command = [forward ? "XRANGE" : "XREVRANGE", scripts.events, ...range, "COUNT", String(count)];
    const { state, replies } = await this.#look(live ? server.writer : server.reader, [command]);
    const events = toEntries(replies[0]!).map(toEvent);
    return { state, events, seq: events.at(-1)?.seq ?? from, end: events.length < count };
  }

  async latestOfSource(id: string): Promise<number | undefined> {
    const { server, scripts } = this.#dependencies;
    const { replies } = await this.#look(server.reader, [["HGET", scripts.keys.ids, id]]);
    return replies[0] === null ? undefined : Number(replies[0]);
  }

  async alike(origin: "source" | "publisher", id: string): Promise<readonly AlikeEvent[]> {
    const { server, scripts } = this.#dependencies;
    const { ids, places } = scripts.keys;
    const commands: Command[] =
      origin === "source" ? [placesCommand(places, "s", id), ["HGET", ids, id]] : [placesCommand(places, "p", id)];
    const [earlier, latest = null] = (await this.#look(server.reader, commands)).replies;
    const wanted = [...numbersOf(earlier!), ...(latest === null ? [] : [Number(latest)])].slice(0, maxAlike);
    if (wanted.length === 0) return [];
    // One that is no longer there was removed by a node that does not know of places.
    const reads = wanted.map((seq): Command => ["XRANGE", scripts.events, `${seq}-0`, `${seq}-0`]);
    const { replies } = await this.#look(server.reader, reads);
    return replies.flatMap((reply) => toEntries(reply).map(toEvent)).toSorted((a, b) => a.seq - b.seq);
  }

  async beforeTime(since: number): Promise<number> {
    const { server, scripts, log } = this.#dependencies;
    return Number(await scripts.run(server.reader, log, sinceScript, [String(since)]));
  }

  async trim({ before, events, bytes }: TrimBounds, limit: number): Promise<TrimStep> {
    const { server, scripts, log, now } = this.#dependencies;
    const clock = now();
    const age = before === undefined ? undefined : clock - before;
    const args = [clock, age, events, bytes, limit].map((value) => String(value ?? ""));
    const [removed, state] = (await scripts.run(server.writer, log, trimScript, args)) as readonly Reply[];
    return { removed: Number(removed), state: toState(state!)! };
  }

  async boundKeys(max: number): Promise<void> {
    const { server, scripts } = this.#dependencies;
    await boundKeys(server.writer, scripts.keys, max);
  }

  async close(): Promise<void> {
    const { server, scripts } = this.#dependencies;
    // If this fails, the server forgets the groups of this log by itself, later.
    await server.writer.send(["HDEL", scripts.keys.senders, this.#sender], 1_000);
  }

  /** Runs the append script, by which the server appends a group unless it knows its number, or a later one, already. */
  async #callAppend(number: number, group: readonly Batch[]): Promise<GroupAnswer> {
    const { server, scripts, log, now, wait } = this.#dependencies;
    const connection = await server.writer.connection();
    const args = groupArguments(this.#sender, number, group.at(-1)?.clock ?? now(), log.retention, group);
    const reply = (await scripts.run(connection, log, appendScript, args)) as readonly Reply[];
    if (wait > 0) await waitForReplicas(connection, wait);
    const [results, time, state] = reply;
    return { results: results as GroupAnswer["results"], time: Number(time), state: toState(state!)! };
  }

  /** Reads the state and what the commands ask for, in one state of the server. */
  async #look(link: Link, commands: readonly Command[]): Promise<Snapshot> {
    const { scripts, log } = this.#dependencies;
    const [meta, ...replies] = await link.transact([["HMGET", scripts.keys.meta, ...stateFields], ...commands]);
    const state = toState(meta!);
    if (state?.epoch !== log.epoch) throw new LogReplacedError();
    return { state, replies };
  }
}

function toResult(group: readonly Batch[], answer: GroupAnswer): GroupResult {
  const outcomes = toOutcomes(answer.results);
  return { outcomes, state: answer.state, events: loggedEvents(group, outcomes, () => answer.time) };
}

/** Until enough replicas have the group its outcome is unknown: a failover may lose it. */
async function waitForReplicas(connection: Connection, wait: number): Promise<void> {
  let reached: number;
  try {
    reached = Number(await connection.send(["WAIT", String(wait), "1000"]));
  } catch (error) {
    throw new UnansweredError((error as Error).message, { cause: error });
  }
  if (reached < wait) throw new UnansweredError(`${reached} of ${wait} replicas have the events`);
}
