import type { Coordination, Lease } from "../log.ts";
import type { Reply } from "./driver.ts";
import { storeError } from "./failure.ts";
import type { Link } from "./link.ts";
import { keysOf, type Keys, type Snapshot, toSnapshot } from "./schema.ts";
import { evaluate, type Script } from "./script.ts";
import { acquireScript, holderScript, releaseScript, renewScript, wantedScript, wantScript } from "./lease-scripts.ts";

/** What coordination needs of its store. */
export interface CoordinationSettings {
  readonly node: string;
  readonly prefix: string;
  readonly place: string;
  /** The way to the server that has the stream's log. */
  writerOf(stream: string): Promise<Link>;
  /** Where the log stood when its lease was granted. */
  onAcquired(stream: string, snapshot: Snapshot | undefined): void;
}

/** Makes the agreement between the nodes of a store. */
export function createCoordination(settings: CoordinationSettings): Coordination {
  const { node, prefix, place, writerOf, onAcquired } = settings;
  // Two processes of one name, such as a node and what is left of it, do not share their leases.
  const owner = crypto.randomUUID();

  async function run(stream: string, script: Script, keys: (keyof Keys)[], ...args: string[]): Promise<Reply> {
    const names = keysOf(prefix, stream);
    const keyNames = keys.map((key) => names[key]);
    try {
      return await evaluate(await writerOf(stream), script, keyNames, args);
    } catch (error) {
      throw storeError(error, place);
    }
  }

  function leaseOf(stream: string, fence: number): Lease {
    const held = [String(fence), owner];
    return {
      node,
      fence,
      renew: async (ttl) => (await run(stream, renewScript, ["lease"], ...held, String(ttl))) === 1,
      release: async () => void (await run(stream, releaseScript, ["lease"], ...held)),
    };
  }

  return {
    async acquire(stream, ttl) {
      const granted = await run(stream, acquireScript, ["lease", "meta"], owner, node, String(ttl));
      if (granted === null) return undefined;
      const [fence, snapshot] = granted as readonly Reply[];
      onAcquired(stream, toSnapshot(snapshot!));
      return leaseOf(stream, Number(fence));
    },
    async holder(stream) {
      const held = (await run(stream, holderScript, ["lease"])) as readonly Reply[] | null;
      return held === null ? undefined : { node: String(held[0]), fence: Number(held[1]) };
    },
    declareDemand: async (stream, ttl) => void (await run(stream, wantScript, ["wants"], owner, String(ttl))),
    hasDemand: async (stream) => (await run(stream, wantedScript, ["wants"])) === 1,
  };
}
