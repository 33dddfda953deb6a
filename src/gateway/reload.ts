import { isDeepStrictEqual } from "node:util";
import { SpillwayError } from "../errors.ts";
import type { DrainPlan } from "../hub/hub.ts";
import type { Logger } from "../util/logger.ts";
import { checkOptions } from "./check-options.ts";
import { idModeOf, type GatewayOptions, type StreamOptions } from "./options.ts";

/** Applies a changed configuration to the streams and to all other parts. */
export interface ReloadTarget {
  /**
   * Prepares a new stream, or new options of an existing one. Everything that can fail does so here; no effect is
   * visible yet.
   */
  prepare(name: string, change: StreamChange, next: GatewayOptions): Promise<Prepared>;
  /**
   * Applies all other options synchronously, or throws and changes nothing. Resolves when all processes have applied
   * them.
   */
  apply(next: GatewayOptions): Promise<void> | void;
  /** Removes a stream and disconnects its subscribers. */
  remove(name: string): Promise<void>;
}

/** A stream's options before and after a change; `before` is `undefined` for a new stream. */
export interface StreamChange {
  readonly before: StreamOptions | undefined;
  readonly after: StreamOptions;
}

/** A prepared change. Exactly one of the two methods is called. */
export interface Prepared {
  /**
   * Applies the change. Its effects are visible to clients when this returns; resolves when the replaced parts have
   * ended.
   */
  commit(): Promise<void> | void;
  /** Discards the change. */
  undo(): Promise<void> | void;
}

/** Reads the configuration again and applies it. */
export interface Reload {
  /**
   * Reloads run one at a time, in the order of the calls.
   * @throws {SpillwayError} the errors of reading the configuration or opening a stream; `restart-required` with the
   * option that cannot be changed; `shutting-down`. Nothing has changed then.
   */
  run(): Promise<void>;
  /** Starts no further change. Resolves when the current one is done; idempotent. */
  end(): Promise<void>;
}

/** How the subscribers of a removed or replaced stream are disconnected. */
export const removed: DrainPlan = { reason: "removed", over: 0, retry: [0, 2000], grace: 5000 };

/** The options that a running gateway cannot change, with their names in the configuration. */
const fixed = {
  listen: "listen",
  listener: "listener",
  store: "store",
  synchronous: "sqlite.synchronous",
  cluster: "cluster",
  workers: "workers",
  tls: "tls",
} as const;

/** Creates the reload of a gateway. */
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
    // The gateway may have begun to stop during the read.
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
      last = run.catch((error: unknown) =>
        logger.error({ err: error }, "configuration refused; the previous one stays in use"),
      );
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
    const hint = `${field} cannot be changed while the gateway runs: restart the gateway`;
    throw new SpillwayError("restart-required", hint, { field, expected: "the value at startup" });
  }
}

/**
 * Changes a gateway from one configuration to the next, or changes nothing and throws. Access and streams change in the
 * same turn of the event loop, so that a new stream is never served with the old access rules.
 */
export async function changeTo(current: GatewayOptions, next: GatewayOptions, target: ReloadTarget): Promise<void> {
  const prepared: Prepared[] = [];
  let applied: Promise<void> | void;
  await checkOptions(next);
  try {
    for (const [name, after] of Object.entries(next.streams)) {
      const before = current.streams[name];
      // A module may have changed, or a reload is to start an upstream again that its transform has stopped.
      if (after.transform || after.definition || !isDeepStrictEqual(before, after))
        prepared.push(await target.prepare(name, { before, after }, next));
    }
    applied = target.apply(next);
  } catch (error) {
    await Promise.all(prepared.map(async (one) => one.undo()));
    throw error;
  }
  await Promise.all([applied, ...prepared.map((one) => one.commit())]);
  for (const name of Object.keys(current.streams)) if (!Object.hasOwn(next.streams, name)) await target.remove(name);
}

/** Whether a change affects what subscribers get, so that they must reconnect. */
export function affectsSubscribers({ before, after }: StreamChange): boolean {
  return !before || !isDeepStrictEqual(visibleOptions(before), visibleOptions(after));
}

/** The options of a stream that subscribers can observe. */
function visibleOptions(options: StreamOptions): object {
  const { heartbeat, retry, coalesce } = options;
  return { ids: idModeOf(options), heartbeat, retry, coalesce };
}
