import type { UpstreamEvent, UpstreamHistory } from "./upstream.ts";

/**
 * Distinguishes the events that a source repeats after a resume from new ones. Sources differ: some resume after the
 * cursor, some repeat its event, some start well before it, and some continue with live events whatever the cursor is.
 *
 * - An event with its own id is a repeat if the id is known, until the first unknown id.
 * - The cursor's event is the last possible repeat. After it, ids are no longer looked up: a source may use one id for
 *   many events, and later ones must not be taken for repeats.
 * - Events without an id are compared, in order, with those logged after the last repeated id, until the first
 *   difference. Before any id is repeated, nothing shows that the source replays, and an equal event may be a new one:
 *   it is kept. A Spillway reports that it has resumed after the cursor.
 */
export interface Overlap {
  /** Whether repeats may still arrive. Once false it stays false, and `repeats` need not be called any more. */
  readonly open: boolean;
  /** Whether this event is already durable. Must be called for each event in order. */
  repeats(event: UpstreamEvent): Promise<boolean>;
  /** Takes into account an id that came without an event. */
  passed(id: string): Promise<void>;
}

export interface OverlapOptions {
  /** The last event id that the connection resumed with. */
  readonly cursor: string;
  /** Whether the source has reported that it replays the events after the cursor. */
  readonly resumed: boolean;
  /** Called once if events are kept that may already be durable. */
  onUncertain(): void;
}

/** Makes the overlap of one connection. */
export function createOverlap(history: UpstreamHistory, { cursor, resumed, onUncertain }: OverlapOptions): Overlap {
  let idsMayRepeat = true;
  let replays = resumed;
  let unnamed: UnnamedEvents | undefined = history.unnamedAfter(cursor);
  const known = async (id: string): Promise<boolean> =>
    id !== "" && idsMayRepeat && (id === cursor || history.hasId(id));
  const end = (): void => {
    idsMayRepeat = false;
    unnamed = undefined;
  };
  return {
    get open() {
      return idsMayRepeat || unnamed !== undefined;
    },
    async repeats(event) {
      const { id } = event;
      // An empty id resets the last event id of the source's clients, and identifies no event.
      if (id) {
        if (!(await known(id))) {
          end();
          return false;
        }
        idsMayRepeat = id !== cursor;
        replays = true;
        unnamed = history.unnamedAfter(id);
        return true;
      }
      const logged = (await unnamed?.next())?.value;
      if (replays && same(logged, event)) return true;
      if (!replays && logged) onUncertain();
      unnamed = undefined;
      return false;
    },
    async passed(id) {
      if (id !== cursor && !(await known(id))) end();
    },
  };
}

type UnnamedEvents = ReturnType<UpstreamHistory["unnamedAfter"]>;

function same(logged: UpstreamEvent | void, event: UpstreamEvent): boolean {
  return logged !== undefined && logged.event === event.event && logged.data === event.data;
}
