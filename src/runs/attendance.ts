/** Counts the clients of a run, and calls back when there was none for some time. */
export class RunAttendance {
  readonly #cancelAfter: number | undefined;
  readonly #onAbandoned: () => void;
  /** Other processes that have clients of the run. */
  readonly others: Set<string> = new Set();
  #clients = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @param cancelAfter how long the run may have no client, in ms; absent for any time */
  constructor(cancelAfter: number | undefined, onAbandoned: () => void) {
    this.#cancelAfter = cancelAfter;
    this.#onAbandoned = onAbandoned;
  }

  /** A client has come; returns the function to call when it has left, which is idempotent. */
  attend(): () => void {
    this.#clients++;
    this.#look();
    let isHere = true;
    return () => {
      if (!isHere) return;
      isHere = false;
      this.#clients--;
      this.#look();
    };
  }

  /** Another process has clients of the run, or no longer has. */
  change(node: string, isWatching: boolean): void {
    if (isWatching) this.others.add(node);
    else this.others.delete(node);
    this.#look();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #look(): void {
    if (this.#cancelAfter === undefined || this.#stopped) return;
    clearTimeout(this.#timer);
    if (this.#clients + this.others.size > 0) return;
    this.#timer = setTimeout(this.#onAbandoned, this.#cancelAfter).unref();
  }
}
