import { monotonicMs } from "../util/durations.ts";

/** Owners that are remembered in one window. */
const maxOwners = 100_000;

/** Adds up how much each owner has stored within about the last `window` ms. */
export class HeldBytes {
  readonly #window: () => number;
  #current = new Map<string, number>();
  #previous = new Map<string, number>();
  #began: number = monotonicMs();

  constructor(window: () => number) {
    this.#window = window;
  }

  add(owner: string, bytes: number): void {
    this.#advance();
    this.#current.set(owner, (this.#current.get(owner) ?? 0) + bytes);
    if (this.#current.size > maxOwners) this.#rotate();
  }

  of(owner: string): number {
    this.#advance();
    return (this.#current.get(owner) ?? 0) + (this.#previous.get(owner) ?? 0);
  }

  #advance(): void {
    const passed = monotonicMs() - this.#began;
    const window = this.#window();
    if (passed >= window) this.#rotate();
    if (passed >= 2 * window) this.#rotate();
  }

  #rotate(): void {
    this.#previous = this.#current;
    this.#current = new Map();
    this.#began = monotonicMs();
  }
}
