import type { StartPosition, SubscribeOptions } from "../client/index.ts";
import { connect, type Listener, type Position, type SharedConnection } from "./connection.ts";

/** Which events of a stream a hook reads. */
export interface StreamFilter {
  /** Only events in these channels; `*` matches any characters. */
  readonly channels?: readonly string[] | undefined;
  /** Only events of these types. */
  readonly events?: readonly string[] | undefined;
  /** Only events that match this expression. */
  readonly filter?: string | undefined;
  /** Where to start. Default: with the next event. */
  readonly start?: StartPosition | undefined;
}

/** Options of the connections below a provider. */
export interface ReactClientOptions extends Omit<
  SubscribeOptions,
  keyof StreamFilter | "method" | "body" | "cursor" | "onGap" | "signal"
> {
  /** The URL that the gateway is mounted at. Default: the root of the page's origin. */
  readonly url?: string | undefined;
  /** How long a connection stays open after the last component that used it, in ms. Default: 1000. */
  readonly linger?: number | undefined;
}

/** What a hook reads. */
export interface Subject {
  readonly url: string;
  readonly filter?: StreamFilter | undefined;
  /** Equal for subjects that read the same events, wherever they start. */
  readonly key: string;
}

interface Entry extends SharedConnection {
  readonly subject: Subject;
}

/** The connections of the components below a provider. */
export interface Pool {
  /** Always the same object, with the latest options. Connections inherit from it, so each attempt has the latest functions. */
  readonly options: ReactClientOptions;
  readonly entries: Set<Entry>;
  /** Called after each change of a connection's state. */
  readonly observers: Set<() => void>;
  /**
   * Returns a function that adds a listener to a connection at its position, or opens one, and returns the function that
   * removes it. If the listener is added again, it gets what it has missed.
   */
  member(subject: Subject, listener: Listener): () => () => void;
}

export function createPool(initial: ReactClientOptions): Pool {
  const entries: Pool["entries"] = new Set();
  const observers: Pool["observers"] = new Set();
  function open(subject: Subject, position: Position): Entry {
    const connection = connect(subject.url, pool.options, subject.filter, position, () => {
      if (connection.state().status === "closed") entries.delete(entry);
      for (const observer of observers) observer();
    });
    const entry = { ...connection, subject };
    entries.add(entry);
    return entry;
  }

  const pool: Pool = {
    options: { ...initial },
    entries,
    observers,
    member(subject, listener) {
      const start = JSON.stringify(subject.filter?.start);
      let cursor = "";
      return () => {
        const position = { cursor, start };
        const found = [...entries].find((each) => each.subject.key === subject.key && each.serves(position));
        const entry = found ?? open(subject, position);
        entry.join(listener);
        return () => void (cursor = entry.leave(listener, pool.options.linger ?? 1000));
      };
    },
  };
  return pool;
}
