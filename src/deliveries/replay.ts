import type { Logger } from "../util/logger.ts";
import type { DeadLetter, DeadLetters } from "./dead-letters.ts";
import type { Outcome } from "./endpoint.ts";
import type { Replay } from "./state.ts";

/** Sends dead letters again, one after the other. One that fails again is appended as a new letter. */
export interface Replaying {
  /** What is stored of it. */
  state(): Replay | undefined;
  /** Letters that are still to be sent, if each event of the range is one. */
  readonly left: number;
  /** Includes all letters that there are now. */
  start(): void;
  /** Sends the next letter, unless one is being sent or there is none. */
  step(): Promise<void>;
}

export interface ReplayParts {
  readonly dead: DeadLetters | undefined;
  /** Sends a letter; `undefined` if the run ended first. */
  send(letter: DeadLetter): Promise<Outcome | undefined>;
  /** Something was sent, or was read. */
  onChange(): void;
  /** The store has failed. Resolves when it may be tried again. */
  onStoreFailure(error: unknown): Promise<void>;
  readonly logger: Logger;
}

/** After this many failures in a row the rest is left for the next command. */
const mostFailures = 5;

/** Continues a replay. */
export function createReplay(stored: Replay | undefined, parts: ReplayParts): Replaying {
  const { dead, send, onChange, onStoreFailure, logger } = parts;
  let replay = stored;
  let isSending = false;
  let failures = 0;

  async function sendNext(letters: DeadLetters, { after, upTo, epoch }: Replay): Promise<void> {
    const { seq, letter } = await letters.next(after);
    if (letter && seq <= upTo) {
      const outcome = await send(letter);
      if (!outcome || (!outcome.delivered && outcome.code === "delivery-gone")) return;
      failures = outcome.delivered ? 0 : failures + 1;
      const { webhook, attempts } = letter;
      if (!outcome.delivered) await letters.add(webhook, { ...outcome, attempts: attempts + 1 }, seq);
    }
    const done = Math.min(seq, upTo);
    if (failures >= mostFailures) logger.warn({ left: upTo - done }, "dead letters fail again; the rest is not sent");
    // More letters may have been included meanwhile.
    replay = { epoch, after: done, upTo: failures >= mostFailures ? done : Math.max(upTo, replay!.upTo) };
  }

  return {
    state: () => replay,
    get left() {
      return replay ? replay.upTo - replay.after : 0;
    },
    start() {
      if (!dead) return;
      const { epoch } = dead.log;
      const { head } = dead.log.state();
      replay = { epoch, after: replay?.epoch === epoch ? replay.after : 0, upTo: head };
      failures = 0;
    },
    async step() {
      if (!dead || !replay || isSending || replay.after >= replay.upTo || replay.epoch !== dead.log.epoch) return;
      isSending = true;
      await sendNext(dead, replay).catch(onStoreFailure);
      isSending = false;
      onChange();
    },
  };
}
