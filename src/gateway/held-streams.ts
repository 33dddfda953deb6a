import type { Caller } from "../limits/admission.ts";
import type { Logger } from "../util/logger.ts";
import { monotonicMs } from "../util/durations.ts";

/** Streams that are open in this process while they are used, and for a short time after that. */
export interface HeldStreams<Opened> {
  /**
   * The open stream of a name, or the one that is opened now. Rejects as `open` does.
   * @param client who asks for it; absent for the program itself
   */
  obtain(name: string, client: Caller | undefined): Opened | Promise<Opened>;
  /** Keeps the stream of a name open; returns the function that ends this. */
  hold(name: string): () => void;
  /** Whether a stream is open, or is being opened or closed. */
  has(name: string): boolean;
  /** Whether somebody holds a stream. */
  isHeld(name: string): boolean;
  /** The open streams, by name. */
  readonly all: ReadonlyMap<string, Opened>;
  /** Closes a stream, also if it is used. Never rejects: a failure is logged. */
  close(name: string): Promise<void>;
  /** Closes the streams that are not used any more. */
  sweep(): void;
  /** Opens nothing any more; resolves once no stream is being opened or closed. */
  stop(): Promise<void>;
}

export interface HeldStreamsOptions<Opened> {
  open(name: string, client: Caller | undefined): Promise<Opened>;
  close(name: string, opened: Opened): Promise<void>;
  /** How long a stream stays open that nobody uses, in ms. */
  quiet(name: string): number;
  readonly logger: Logger;
}

/** A stream that is open, or is being opened or closed. */
interface Held {
  users: number;
  /** When it was used last, by {@link monotonicMs}. */
  usedAt: number;
  /** The opening or the closing. */
  changing: Promise<unknown> | undefined;
}

/** Creates the streams of a process, none open yet. There is no timer: `sweep` is to be called from time to time. */
export function createHeldStreams<Opened>(options: HeldStreamsOptions<Opened>): HeldStreams<Opened> {
  const { open, close, quiet, logger } = options;
  const held = new Map<string, Held>();
  const all = new Map<string, Opened>();

  function entryOf(name: string): Held {
    const entry = held.get(name) ?? { users: 0, usedAt: monotonicMs(), changing: undefined };
    held.set(name, entry);
    return entry;
  }

  /** Runs a change of a stream after the one before it. */
  function change<Result>(name: string, entry: Held, run: () => Promise<Result>): Promise<Result> {
    const changed = Promise.resolve(entry.changing).then(run, run);
    const done = changed
      .catch(() => {})
      .finally(() => {
        if (entry.changing !== done) return;
        entry.changing = undefined;
        if (!all.has(name) && entry.users === 0) held.delete(name);
      });
    entry.changing = done;
    return changed;
  }

  async function openNow(name: string, client: Caller | undefined): Promise<Opened> {
    const known = all.get(name);
    if (known !== undefined) return known;
    const opened = await open(name, client);
    all.set(name, opened);
    return opened;
  }

  async function closeNow(name: string): Promise<void> {
    const opened = all.get(name);
    if (opened === undefined) return;
    all.delete(name);
    await close(name, opened);
  }

  function closeLogged(name: string, entry: Held, isWanted = (): boolean => true): Promise<void> {
    return change(name, entry, async () => {
      if (isWanted()) await closeNow(name);
    }).catch((err: unknown) => logger.warn({ stream: name, err }, "a stream could not be closed"));
  }

  const isQuiet = (name: string, { users, usedAt, changing }: Held): boolean =>
    users === 0 && !changing && monotonicMs() - usedAt >= quiet(name);

  return {
    all,
    obtain(name, client) {
      const entry = entryOf(name);
      entry.usedAt = monotonicMs();
      const opened = entry.changing ? undefined : all.get(name);
      return opened ?? change(name, entry, () => openNow(name, client));
    },
    hold(name) {
      const entry = entryOf(name);
      entry.users++;
      let isHeld = true;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        entry.users--;
        entry.usedAt = monotonicMs();
        if (entry.users === 0 && !entry.changing && !all.has(name) && held.get(name) === entry) held.delete(name);
      };
    },
    has: (name) => held.has(name),
    isHeld: (name) => (held.get(name)?.users ?? 0) > 0,
    async close(name) {
      const entry = held.get(name);
      if (entry) await closeLogged(name, entry);
    },
    sweep() {
      for (const [name, entry] of held)
        if (all.has(name) && isQuiet(name, entry)) void closeLogged(name, entry, () => entry.users === 0);
    },
    async stop() {
      await Promise.all(Array.from(held.values(), async ({ changing }) => changing));
    },
  };
}
