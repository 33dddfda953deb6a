import type { StoredEvent, UpstreamEvent, UpstreamHistory } from "./upstream.ts";

/**
 * Distinguishes the events that a source repeats after a resume from new ones. Sources differ: some resume after the
 * cursor, some repeat its event, some start well before it, and some continue with live events whatever the cursor is.
 *
 * - An event with its own id is a repeat if the id is known, until the first unknown id.
 * - The cursor's event is the last possible repeat. After it, ids are no longer looked up: a source may use one id for
 *   many events, and later ones must not be taken for repeats.
 * - An unknown event that the transform drops may be a repeat or not, and is never in the log: it shows nothing.
 * - The log has the cursor's event, or the transform dropped it. Then repeats may follow it, because the cursor may have
 *   been that of a repeat that the transform dropped again.
 * - Events without an id are compared, in order, with those logged after the last repeated id, until the first
 *   difference. What is compared is what would be stored of them. Before any id is repeated, nothing shows that the source replays, and an equal event may be a new one:
 *   it is kept. A Spillway reports that it has resumed after the cursor.
 */
export interface Overlap {
  /** Whether repeats may still arrive. Once false it stays false, and `repeats` need not be called any more. */
  readonly open: boolean;
  /**
   * Whether this event is already durable. Must be called for each event in order.
   * @param event the event as it would be delivered
   * @param id its own id
   */
  repeats(event: UpstreamEvent, id: string | undefined): Promise<boolean>;
  /** Takes into account an id that came without an event. */
  passed(id: string): Promise<void>;
}

export interface OverlapOptions {
  /** The last event id that the connection resumed with. */
  readonly cursor: string;
  /** Whether the source has reported that it replays the events after the cursor. */
  readonly resumed: boolean;
  /** Ends the connection. */
  readonly signal: AbortSignal;
  /** Called once if events are kept that may already be durable. */
  onUncertain(): void;
}

/** Makes the overlap of one connection. */
export function createOverlap(
  history: UpstreamHistory,
  { cursor, resumed, signal, onUncertain }: OverlapOptions,
): Overlap {
  let idsMayRepeat = true;
  let cursorPassed = false;
  let replays = resumed;
  let unnamed: UnnamedEvents | undefined = history.unnamedAfter(cursor);
  const known = async (id: string): Promise<boolean> =>
    id !== "" && idsMayRepeat && ((id === cursor && !cursorPassed) || history.hasId(id));
  const end = (): void => {
    idsMayRepeat = false;
    unnamed = undefined;
  };

  /** Whether the log has these next to each other, and the source has shown that it replays. */
  async function areLogged(results: readonly StoredEvent[]): Promise<boolean> {
    for (const result of results) {
      const logged = (await unnamed?.next())?.value;
      if (replays && same(logged, result)) continue;
      if (!replays && logged) onUncertain();
      return false;
    }
    return true;
  }

  return {
    get open() {
      return idsMayRepeat || unnamed !== undefined;
    },
    async repeats(event, id) {
      // An empty id resets the last event id of the source's clients, and identifies no event.
      if (id && (await known(id))) {
        const logged = id !== cursor || (await history.hasId(id));
        cursorPassed ||= id === cursor;
        if (id === cursor && logged) idsMayRepeat = false;
        replays = true;
        if (logged) unnamed = history.unnamedAfter(id);
        return true;
      }
      const results = (await history.storedAs?.(event, signal)) ?? [event];
      if (results.length === 0) return false;
      if (id) end();
      else if (await areLogged(results)) return true;
      unnamed = undefined;
      return false;
    },
    async passed(id) {
      if (id !== cursor && !(await known(id))) end();
    },
  };
}

type UnnamedEvents = ReturnType<UpstreamHistory["unnamedAfter"]>;

function same(logged: StoredEvent | void, event: StoredEvent): boolean {
  return logged !== undefined && logged.event === event.event && logged.data === event.data;
}
