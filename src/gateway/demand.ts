/** Starts a resource with the first who needs it, and stops it a while after the last. */
export interface Demand {
  /** One more; returns the way to give it back. */
  hold(): () => void;
  /** No more starts. */
  end(): void;
}

/** Makes the demand for what `start` and `stop` govern; both are idempotent. `linger` in ms. */
export function createDemand(linger: number, start: () => void, stop: () => void): Demand {
  let holds = 0;
  let timer: NodeJS.Timeout | undefined;
  let ended = false;

  const update = (): void => {
    clearTimeout(timer);
    if (ended) return;
    if (holds > 0) start();
    else timer = setTimeout(stop, linger);
  };

  return {
    hold() {
      let held = true;
      holds++;
      update();
      return () => {
        if (held) holds--;
        held = false;
        update();
      };
    },
    end() {
      ended = true;
      clearTimeout(timer);
    },
  };
}
