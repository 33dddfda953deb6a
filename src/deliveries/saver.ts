import type { Logger } from "../util/logger.ts";

/** Saves something that changes often: one save at a time, and not more often than the interval. */
export interface Saver {
  /** Schedules a save within this time, in ms. Default: as soon as the interval permits. */
  changed(within?: number): void;
  /** Saves what has changed and stops. Resolves when it is saved, or cannot be. */
  end(): Promise<void>;
}

/** The shortest time between two saves, in ms. */
const interval = 50;

/** The time after which a failed save is tried again, in ms. */
const retryDelay = 1_000;

/** Makes the saver of what `save` saves. */
export function createSaver(save: () => Promise<void>, logger: Logger): Saver {
  let timer: NodeJS.Timeout | undefined;
  let dueAt = Infinity;
  let savedAt = -Infinity;
  let saving: Promise<void> | undefined;
  let isFailing = false;
  let isEnded = false;

  function schedule(at: number): void {
    if (at >= dueAt || isEnded) return;
    dueAt = at;
    clearTimeout(timer);
    if (!saving) timer = setTimeout(() => void run(), Math.max(0, at - performance.now()));
  }

  async function attempt(): Promise<void> {
    dueAt = Infinity;
    try {
      await save();
      isFailing = false;
    } catch (error) {
      if (!isFailing) logger.warn({ err: error }, "the state of the delivery cannot be stored");
      isFailing = true;
      schedule(performance.now() + retryDelay);
    }
  }

  async function run(): Promise<void> {
    saving = attempt();
    await saving;
    saving = undefined;
    savedAt = performance.now();
    const next = dueAt;
    dueAt = Infinity;
    schedule(next);
  }

  return {
    changed: (within = 0) => schedule(Math.max(performance.now() + within, savedAt + interval)),
    async end() {
      await saving;
      clearTimeout(timer);
      isEnded = true;
      if (dueAt < Infinity) await attempt();
    },
  };
}
