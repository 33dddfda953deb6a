import type { Coordination, Lease } from "../log.ts";
import type { RunStatement } from "./connections.ts";
import type { SqlRow, Statement } from "./driver.ts";
import { storeError } from "./failure.ts";
import type { PostgresLog } from "./postgres-log.ts";
import type { Queries } from "./queries.ts";
import { type StreamState, toState } from "./streams.ts";
import { SpillwayError } from "../../errors.ts";

/** Who asks. */
export interface Asker {
  /** The node's name. */
  readonly node: string;
  /** Names its store; another one each time it is opened. */
  readonly store: string;
}

/**
 * Makes the agreement between the nodes of a schema. A lease stands in the stream's own row, so that whoever takes one waits for the
 * append under way, and every later append sees it.
 */
export function createCoordination(
  run: RunStatement,
  queries: Queries,
  { node, store }: Asker,
  logOf: (stream: string) => PostgresLog | undefined,
): Coordination {
  async function ask(statement: Statement): Promise<readonly SqlRow[]> {
    try {
      return await run(statement);
    } catch (error) {
      throw storeError(error);
    }
  }

  /** Whoever takes over goes on where the one before stopped, so all of that must have come here. */
  async function catchUp(stream: string, state: StreamState): Promise<void> {
    const log = logOf(stream);
    if (!log) return;
    if (log.epoch !== state.epoch) throw log.replace();
    log.take(state, []);
    if (await log.reached(state.head)) return;
    throw new SpillwayError("store-unavailable", `the events of ${stream} up to ${state.head} have not come`);
  }

  function createLease({ id, epoch }: StreamState, fence: number): Lease {
    return {
      node,
      fence,
      renew: async (ttl) => (await ask(queries.renewLease(id, epoch, fence, ttl))).length > 0,
      async release() {
        // If it cannot be given back, it ends by itself.
        await ask(queries.releaseLease(id, epoch, fence)).catch(() => {});
      },
    };
  }

  return {
    async acquire(stream, ttl) {
      const [row] = await ask(queries.acquireLease(stream, node, store, ttl));
      if (!row) return undefined;
      const state = toState(row);
      await catchUp(stream, state);
      return createLease(state, Number(row.fence));
    },
    async holder(stream) {
      const [row] = await ask(queries.selectHolder(stream));
      return row && { node: String(row.holder), fence: Number(row.fence) };
    },
    async want(stream, ttl) {
      await ask(ttl > 0 ? queries.want(stream, node, ttl) : queries.unwant(stream, node));
    },
    isWanted: async (stream) => (await ask(queries.isWanted(stream)))[0]?.wanted === true,
  };
}
