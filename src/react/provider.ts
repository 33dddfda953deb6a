import {
  createContext,
  createElement,
  useContext,
  useInsertionEffect,
  useState,
  type Context,
  type ReactElement,
  type ReactNode,
} from "react";
import type { StreamClientOptions } from "../stream-store/connection.ts";
import { createPool, type Pool } from "../stream-store/pool.ts";

export interface SpillwayProviderProps {
  /**
   * How to connect. Functions can differ in each render. Give the provider another `key` to open new connections, as for
   * another user or URL.
   */
  readonly client?: StreamClientOptions | undefined;
  readonly children?: ReactNode;
}

/** The connections without a provider, and those of {@link useSSE}: without any credential. */
export const defaultPool: Pool = createPool();

const PoolContext: Context<Pool> = createContext(defaultPool);

/** Sets how the hooks below it connect. Components below it that read the same events share a connection. */
export function SpillwayProvider({ client, children }: SpillwayProviderProps): ReactElement {
  const [pool] = useState(() => createPool(client));
  useInsertionEffect(() => void Object.assign(pool.options, client));
  return createElement(PoolContext.Provider, { value: pool }, children);
}

export function usePool(): Pool {
  return useContext(PoolContext);
}
