import type { UpstreamEvent, UpstreamHistory } from "./upstream.ts";

/**
 * Tells what a resumed source sends again from what is new. Sources differ: some resume behind the cursor, some send its event
 * once more, some begin well before it, and some go on from now whatever the cursor is.
 *
 * - An event with an id of its own is a repeat if that id is known, until the first that is not.
 * - The cursor's event is the last that can come again. After it ids are not looked up any more: a source may well use one
 *   id for many events, and those that flow on must not be taken for repeats.
 * - Events without an id are compared, in order, with those that were logged after the last repeated id; the first difference ends that.
 *   Until an id has come again nothing says that the source replays, and an equal event may be a new one: it is kept. A Spillway says by
 *   itself that it has resumed behind the cursor.
 */
export interface Overlap {
  /** Whether repeats may still come. Once false it stays false, and nothing needs to be asked any more. */
  readonly open: boolean;
  /** Whether this event is durable already. To be asked for each event in order. */
  repeats(event: UpstreamEvent): Promise<boolean>;
  /** Takes note of an id that came without an event. */
  passed(id: string): Promise<void>;
}

export interface OverlapOptions {
  /** What the connection was opened with. */
  readonly cursor: string;
  /** Whether the source has said that it replays what lies behind the cursor. */
  readonly resumed: boolean;
  /** Called once if events are kept that may be durable already. */
  onUncertain(): void;
}

/** The overlap of one connection. */
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
      // An empty one makes the source's clients forget theirs: it names no event.
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
