import { isDeepStrictEqual } from "node:util";
import { SpillwayError } from "../errors.ts";
import type { DrainPlan } from "../hub/hub.ts";
import type { Logger } from "../util/logger.ts";
import { idModeOf, type GatewayOptions, type StreamOptions } from "./options.ts";

/** What a changed configuration does to the streams, and to everything else. */
export interface ReloadTarget {
  /** Gets ready a stream that is new, or other options for one that is there. What may fail does so here; nothing of it shows. */
  prepare(name: string, change: StreamChange, next: GatewayOptions): Promise<Prepared>;
  /** Goes on under what is no stream: at once, or it throws and has changed nothing. Resolves when all processes do. */
  apply(next: GatewayOptions): Promise<void> | void;
  /** Takes a stream out; its subscribers are told. */
  remove(name: string): Promise<void>;
}

/** A stream's options before and after; without the former it is new. */
export interface StreamChange {
  readonly before: StreamOptions | undefined;
  readonly after: StreamOptions;
}

/** What is ready to take its place. One of the two is called. */
export interface Prepared {
  /** Puts it in its place. What clients see of it happens before this returns; resolves when what was there before has ended. */
  commit(): Promise<void> | void;
  /** Lets go of it, unused. */
  undo(): Promise<void> | void;
}

/** Applies the configuration as it is written now. */
export interface Reload {
  /**
   * One at a time, in the order of the calls.
   * @throws {SpillwayError} what reading it throws, or opening a stream; `restart-required` naming what cannot be changed;
   * `shutting-down`. Nothing has changed then.
   */
  run(): Promise<void>;
  /** Changes nothing more. Resolves when what is being changed is done; idempotent. */
  end(): Promise<void>;
}

/** How the subscribers of a stream are let go that is taken out, or replaced. */
export const removed: DrainPlan = { reason: "removed", over: 0, retry: [0, 2000] };

/** What a running gateway cannot change, and what it is called in a configuration. */
const fixed = {
  listen: "listen",
  listener: "listener",
  store: "store",
  synchronous: "sqlite.synchronous",
  cluster: "cluster",
  workers: "workers",
  tls: "tls",
} as const;

/** Makes the way to apply a configuration that was changed. */
export function createReload(
  options: GatewayOptions,
  read: () => Promise<GatewayOptions>,
  target: ReloadTarget,
  logger: Logger,
): Reload {
  let current = options;
  let last: Promise<void> = Promise.resolve();
  let changing: Promise<void> = Promise.resolve();
  let ended = false;

  async function reload(): Promise<void> {
    const next = await read();
    assertSame(current, next);
    // What is read may be long in coming.
    if (ended) throw new SpillwayError("shutting-down");
    const changed = changeTo(current, next, target);
    changing = changed.catch(() => {});
    await changed;
    current = next;
    logger.info({ streams: Object.keys(next.streams) }, "configuration applied");
  }

  return {
    run() {
      const run = last.then(reload);
      last = run.catch((error: unknown) => logger.error({ err: error }, "configuration refused; the old one stays"));
      return run;
    },
    end() {
      ended = true;
      return changing;
    },
  };
}

function assertSame(current: GatewayOptions, next: GatewayOptions): void {
  for (const [name, field] of Object.entries(fixed) as Array<[keyof typeof fixed, string]>) {
    if (isDeepStrictEqual(current[name], next[name])) continue;
    const hint = `${field} cannot be changed while the gateway runs: start it again`;
    throw new SpillwayError("restart-required", hint, { field, expected: "the value that it was started with" });
  }
}

/**
 * Brings a gateway from one configuration to the next, or changes nothing and throws. Access and streams change in the same turn: a new
 * stream is never served under the old access.
 */
export async function changeTo(current: GatewayOptions, next: GatewayOptions, target: ReloadTarget): Promise<void> {
  const prepared: Prepared[] = [];
  let applied: Promise<void> | void;
  try {
    for (const [name, after] of Object.entries(next.streams)) {
      const before = current.streams[name];
      if (!isDeepStrictEqual(before, after)) prepared.push(await target.prepare(name, { before, after }, next));
    }
    applied = target.apply(next);
  } catch (error) {
    await Promise.all(prepared.map(async (one) => one.undo()));
    throw error;
  }
  await Promise.all([applied, ...prepared.map((one) => one.commit())]);
  for (const name of Object.keys(current.streams)) if (!Object.hasOwn(next.streams, name)) await target.remove(name);
}

/** Whether subscribers would see another stream. */
export function isServedAnew({ before, after }: StreamChange): boolean {
  return !before || !isDeepStrictEqual(served(before), served(after));
}

/** What subscribers see of a stream's options. */
function served(options: StreamOptions): object {
  const { heartbeat, retry, coalesce } = options;
  return { ids: idModeOf(options), heartbeat, retry, coalesce };
}
