import type { Logger } from "../util/logger.ts";
import type { LogHint } from "./log.ts";

/** The listeners of one log. */
export interface Watchers {
  /** Adds a listener; returns the way to remove it. */
  add(listener: (hint: LogHint) => void): () => void;
  /** Gives a hint to every listener. One that throws is logged and harms no other. */
  notify(hint: LogHint): void;
  /** Forgets all listeners. */
  clear(): void;
}

/** Makes the listeners of the log of `stream`, none yet. */
export function createWatchers(stream: string, logger: Logger): Watchers {
  const listeners = new Map<object, (hint: LogHint) => void>();
  // A listener may append, which notifies again: hints wait here so that every listener sees them in one order.
  const waiting: LogHint[] = [];

  function call(listener: (hint: LogHint) => void, hint: LogHint): void {
    try {
      listener(hint);
    } catch (error) {
      logger.error({ stream, err: error }, "a log listener failed");
    }
  }

  return {
    add(listener) {
      const key = {};
      listeners.set(key, listener);
      return () => void listeners.delete(key);
    },
    notify(hint) {
      if (waiting.push(hint) > 1) return;
      while (waiting.length > 0) {
        for (const listener of listeners.values()) call(listener, waiting[0]!);
        waiting.shift();
      }
    },
    clear: () => listeners.clear(),
  };
}
