import type { UpstreamEvent, UpstreamHistory } from "./upstream.ts";

/**
 * Tells what a resumed source sends again from what is new. Sources differ: some resume behind the cursor, some send its event
 * once more, some begin well before it.
 *
 * - An event with an id of its own is a repeat if that id is known, until the first that is not.
 * - The cursor's event is the last that can come again. After it ids are not looked up any more: a source may well use one
 *   id for many events, and those that flow on must not be taken for repeats.
 * - Events without an id are compared, in order, with those that were logged after the last repeated id (at first: after the
 *   cursor); the first difference ends that.
 */
export interface Overlap {
  /** Whether repeats may still come. Once false it stays false, and nothing needs to be asked any more. */
  readonly open: boolean;
  /** Whether this event is durable already. To be asked for each event in order. */
  repeats(event: UpstreamEvent): Promise<boolean>;
  /** Takes note of an id that came without an event. */
  passed(id: string): Promise<void>;
}

/** The overlap of a connection that was opened with this cursor. */
export function createOverlap(history: UpstreamHistory, cursor: string): Overlap {
  let idsMayRepeat = true;
  let unnamed: UnnamedEvents | undefined = createUnnamedEvents(history, cursor);
  const known = async (id: string): Promise<boolean> => idsMayRepeat && (id === cursor || history.hasId(id));
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
      if (id !== undefined) {
        if (!(await known(id))) {
          end();
          return false;
        }
        idsMayRepeat = id !== cursor;
        unnamed = createUnnamedEvents(history, id);
        return true;
      }
      if (same(await unnamed?.next(), event)) return true;
      unnamed = undefined;
      return false;
    },
    async passed(id) {
      if (id !== cursor && !(await known(id))) end();
    },
  };
}

function same(logged: UpstreamEvent | undefined, event: UpstreamEvent): boolean {
  return logged !== undefined && logged.event === event.event && logged.data === event.data;
}

/** The logged events without an id behind one that has it, one after the other. */
interface UnnamedEvents {
  next(): Promise<UpstreamEvent | undefined>;
}

/** Asked for at first; twice as many each time they all came again. */
const firstLimit = 64;

function createUnnamedEvents(history: UpstreamHistory, id: string): UnnamedEvents {
  let events: readonly UpstreamEvent[] = [];
  let limit = 0;
  let taken = 0;
  return {
    async next() {
      if (taken === events.length && taken === limit) {
        limit = Math.max(limit * 2, firstLimit);
        events = await history.afterCursor(id, limit);
      }
      return events[taken++];
    },
  };
}
