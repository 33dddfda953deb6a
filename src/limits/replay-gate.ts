import { SpillwayError } from "../errors.ts";
import type { Limits } from "./options.ts";

/** How many are replayed to at once, and how long others wait. */
export type ReplayLimits = Pick<Limits, "replays" | "replayWait">;

/** Lets so many replays run at once; others wait in order, as many again at most. */
export interface ReplayGate {
  /**
   * Takes a place: at once while there is one, else as soon as it is this caller's turn. Returns the way to leave it, which does
   * nothing a second time. Who was let in has to leave, whatever has become of the signal.
   *
   * @param signal gives what leaves the queue; the promise then rejects with its reason. Not called while there is room.
   * @throws {SpillwayError} `replay-busy` with `retryAfter`: at once if too many wait, else when `replayWait` has passed
   */
  enter(signal: () => AbortSignal): (() => void) | Promise<() => void>;
  /** Replays that have a place. */
  readonly running: number;
  /** Replays that wait for one. */
  readonly waiting: number;
  /** Takes other limits from now on. Nobody is put out; who waits keeps the wait it came with. */
  change(limits: ReplayLimits): void;
}

interface Waiter {
  /** Takes the waiter out of the queue, with a place. */
  admit(): void;
}

/** Seconds after which there may be room. */
const retryAfter = 5;

/** Makes a gate that nobody has entered. */
export function createReplayGate(limits: ReplayLimits): ReplayGate {
  let bounds = limits;
  let running = 0;
  // Keeps the order of arrival, and lets one go from the middle.
  const queue = new Set<Waiter>();

  function take(): () => void {
    running++;
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      running--;
      admitNext();
    };
  }

  /** Called whenever there may be room, so that nobody waits beside a free place. */
  function admitNext(): void {
    for (const waiter of queue) {
      if (running >= bounds.replays) return;
      waiter.admit();
    }
  }

  function wait(signal: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const leaveQueue = (): void => {
        queue.delete(waiter);
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
      };
      const waiter: Waiter = {
        admit() {
          leaveQueue();
          resolve(take());
        },
      };
      const abort = (): void => {
        leaveQueue();
        reject(signal.reason as Error);
      };
      const timer = setTimeout(() => {
        leaveQueue();
        reject(busy());
      }, bounds.replayWait).unref();
      signal.addEventListener("abort", abort);
      queue.add(waiter);
    });
  }

  return {
    enter(signal) {
      if (running < bounds.replays) return take();
      if (queue.size >= bounds.replays) throw busy();
      const left = signal();
      left.throwIfAborted();
      return wait(left);
    },
    get running() {
      return running;
    },
    get waiting() {
      return queue.size;
    },
    change(next) {
      bounds = next;
      admitNext();
    },
  };
}

function busy(): SpillwayError {
  return new SpillwayError("replay-busy", undefined, { retryAfter });
}
