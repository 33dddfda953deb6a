import { randomUUID } from "node:crypto";
import type { LeaseDriver } from "../engine/driver.ts";
import type { Reply } from "./driver.ts";
import { acquireScript, holderScript, releaseScript, renewScript, wantedScript, wantScript } from "./lease-scripts.ts";
import type { Link } from "./link.ts";
import { type Keys, keysOf, toState } from "./schema.ts";
import { evaluate, type Script } from "./script.ts";

/** What leases need of their store. */
export interface LeaseDependencies {
  readonly node: string;
  readonly prefix: string;
  /** The way to the server that has the stream's log. */
  writerOf(stream: string): Promise<Link>;
}

/** Makes the leases of a store. */
export function createLeases({ node, prefix, writerOf }: LeaseDependencies): LeaseDriver {
  // Two processes with the name of one node, such as an old one that still ends, do not share their leases.
  const owner = randomUUID();

  async function run(stream: string, script: Script, keys: (keyof Keys)[], ...args: string[]): Promise<Reply> {
    const names = keysOf(prefix, stream);
    const keyNames = keys.map((key) => names[key]);
    return evaluate(await writerOf(stream), script, keyNames, args);
  }

  return {
    async acquire(stream, ttl) {
      const granted = await run(stream, acquireScript, ["lease", "meta"], owner, node, String(ttl));
      if (granted === null) return undefined;
      const [fence, state] = granted as readonly Reply[];
      const held = [String(fence), owner];
      return {
        fence: Number(fence),
        state: toState(state!),
        renew: async (duration) => (await run(stream, renewScript, ["lease"], ...held, String(duration))) === 1,
        release: async () => void (await run(stream, releaseScript, ["lease"], ...held)),
      };
    },
    async holder(stream) {
      const held = (await run(stream, holderScript, ["lease"])) as readonly Reply[] | null;
      return held === null ? undefined : { node: String(held[0]), fence: Number(held[1]) };
    },
    declareDemand: async (stream, ttl) => void (await run(stream, wantScript, ["wants"], owner, String(ttl))),
    hasDemand: async (stream) => (await run(stream, wantedScript, ["wants"])) === 1,
  };
}
