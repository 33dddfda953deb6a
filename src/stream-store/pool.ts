import { connect, type Listener, type SharedConnection, type StreamClientOptions, type Subject } from "./connection.ts";

/** Connections that are shared. */
export interface Pool {
  /** Always the same object, with the latest options. Connections inherit from it, so each attempt has the latest functions. */
  readonly options: StreamClientOptions;
  readonly connections: Set<SharedConnection>;
  /** Called after each change of a connection's state. */
  readonly observers: Set<() => void>;
  /**
   * Returns a function that adds a listener to a connection at its position, or opens one, and returns the function that
   * removes it. If the listener is added again, it gets what it has missed.
   */
  member(subject: Subject, listener: Listener): () => () => void;
}

export function createPool(initial?: StreamClientOptions): Pool {
  const connections: Pool["connections"] = new Set();
  const observers: Pool["observers"] = new Set();

  function open(subject: Subject, cursor: string): SharedConnection {
    const connection = connect(subject, pool.options, cursor, () => {
      if (connection.state().status === "closed") connections.delete(connection);
      for (const observer of observers) observer();
    });
    connections.add(connection);
    return connection;
  }

  const pool: Pool = {
    options: { ...initial },
    connections,
    observers,
    member(subject, listener) {
      let cursor = "";
      return () => {
        const found = [...connections].find((connection) => connection.serves(subject, cursor));
        const { join, leave } = found ?? open(subject, cursor);
        join(listener);
        return () => void (cursor = leave(listener, pool.options.linger ?? 1000));
      };
    },
  };
  return pool;
}
