/** Something that may fall silent. */
export interface Watched {
  /** When it was last heard of; set by the watch, in ms of its clock. */
  heardAt: number;
  /** Nothing was heard of it for too long. */
  onIdle(): void;
}

/** Watches over any number of exchanges with one timer. */
export interface IdleWatch {
  /** How long they may be silent, in ms. */
  readonly limit: number;
  add(watched: Watched): void;
  /** Something was heard of it. */
  touch(watched: Watched): void;
  remove(watched: Watched): void;
}

/** Calls `onIdle` of what was silent for `limit` ms, at most a tenth later. */
export function createIdleWatch(limit: number): IdleWatch {
  const all = new Set<Watched>();
  let now = performance.now();
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    now = performance.now();
    for (const watched of all) if (now - watched.heardAt > limit) watched.onIdle();
    if (all.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  return {
    limit,
    add(watched) {
      if (all.size === 0) now = performance.now();
      watched.heardAt = now;
      all.add(watched);
      timer ??= setInterval(look, Math.max(limit / 10, 10)).unref();
    },
    touch(watched) {
      watched.heardAt = now;
    },
    remove: (watched) => void all.delete(watched),
  };
}
