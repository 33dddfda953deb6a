import { type DriverRemoval, isUnchanged } from "../engine/driver.ts";
import { lastRecord } from "./genesis.ts";
import type { Queries } from "./queries.ts";
import { logNames, logStreamName, logSubjects, tokenOfSubjects } from "./schema.ts";

/** Makes the removal of logs. */
export function createRemoval(queries: Queries, prefix: string): DriverRemoval {
  return {
    async list(beginning) {
      const streams = await queries.describe(logSubjects(prefix));
      return streams.filter((name) => name !== "" && name.startsWith(beginning));
    },
    has: async (stream) => (await queries.facts(logStreamName(prefix, stream))) !== undefined,
    async remove(stream, unchanged) {
      const name = logStreamName(prefix, stream);
      if (unchanged) {
        const facts = await queries.facts(name);
        if (!facts) return true;
        const last = await lastRecord(queries, logNames(prefix, stream, tokenOfSubjects(facts.subjects)));
        if (last && !isUnchanged(last.record, unchanged)) return false;
        // NATS cannot delete on a condition: an append between these two requests would be lost.
      }
      await queries.remove(name);
      return true;
    },
  };
}
