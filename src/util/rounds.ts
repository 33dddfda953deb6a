/** What a round has brought. */
export interface RoundResult<Peer> {
  readonly answers: readonly unknown[];
  /** The peers that have not answered in time. */
  readonly late: readonly Peer[];
}

interface Round<Peer> {
  readonly waiting: Set<Peer>;
  readonly answers: unknown[];
  readonly isFinal: (answer: unknown) => boolean;
  done(isLate: boolean): void;
}

/** Questions to several peers, each of which answers once or leaves. */
export class Rounds<Peer> {
  readonly #rounds = new Map<string, Round<Peer>>();
  /** In ms. */
  readonly #timeout: number;

  /** @param timeout how long the peers have to answer, in ms */
  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /**
   * Resolves when all peers have answered or left, when an answer is final, or after the timeout.
   * @param send sends the question with the id that its answers carry; what it throws is thrown
   */
  async ask(
    peers: Iterable<Peer>,
    send: (id: string) => Promise<void> | void,
    isFinal: (answer: unknown) => boolean = () => false,
  ): Promise<RoundResult<Peer>> {
    const waiting = new Set(peers);
    if (waiting.size === 0) return { answers: [], late: [] };
    const id = crypto.randomUUID();
    const answers: unknown[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<boolean>((resolve) => {
      this.#rounds.set(id, { waiting, answers, isFinal, done: resolve });
      timer = setTimeout(resolve, this.#timeout, true);
    });
    try {
      await send(id);
      return (await late) ? { answers, late: [...waiting] } : { answers, late: [] };
    } finally {
      clearTimeout(timer);
      this.#rounds.delete(id);
    }
  }

  /** Takes an answer; `undefined` if the peer has nothing to say. */
  answered(id: string, peer: Peer, answer: unknown): void {
    const round = this.#rounds.get(id);
    if (!round?.waiting.delete(peer)) return;
    if (answer !== undefined) round.answers.push(answer);
    if (round.waiting.size === 0 || round.isFinal(answer)) round.done(false);
  }

  /** No round waits for this peer any longer. */
  left(peer: Peer): void {
    for (const id of this.#rounds.keys()) this.answered(id, peer, undefined);
  }
}
