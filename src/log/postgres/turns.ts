/** Lets so many at once have their turn; the others wait in order. */
export interface Turns {
  /** Resolves when it is the caller's turn, which `done` ends; rejects where `refuse` is called first. */
  take(): Promise<void>;
  /** Gives the turn to who waits longest. */
  done(): void;
  /** Rejects all who wait now. */
  refuse(error: Error): void;
}

/** Makes turns of which `most` may be taken at once. */
export function createTurns(most: number): Turns {
  let taken = 0;
  const waiting: { resolve(): void; reject(error: Error): void }[] = [];

  return {
    take() {
      if (taken < most) {
        taken++;
        return Promise.resolve();
      }
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    done() {
      const next = waiting.shift();
      // The turn is handed over, not given back, so that nobody slips in between.
      if (next) next.resolve();
      else taken--;
    },
    refuse(error) {
      for (const { reject } of waiting.splice(0)) reject(error);
    },
  };
}
