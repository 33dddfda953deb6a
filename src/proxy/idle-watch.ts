/** Something that may fall silent. */
export interface Watched {
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
  const heard = new Map<Watched, number>();
  let now = performance.now();
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    now = performance.now();
    for (const [watched, at] of heard) if (now - at > limit) watched.onIdle();
    if (heard.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  return {
    limit,
    add(watched) {
      now = performance.now();
      heard.set(watched, now);
      timer ??= setInterval(look, Math.max(limit / 10, 10)).unref();
    },
    touch(watched) {
      if (heard.has(watched)) heard.set(watched, now);
    },
    remove: (watched) => void heard.delete(watched),
  };
}
