import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryStore } from "spillway/memory";
import { createSqliteStore } from "spillway/sqlite";
import { describeLogStore } from "spillway/testing";
import { describe, it } from "vitest";

const runner = { describe, it };

describeLogStore(
  "memory",
  {
    persistent: false,
    createPlace: async () => ({ open: async (now) => createMemoryStore({ now }), remove: async () => {} }),
  },
  runner,
);

describeLogStore(
  "sqlite",
  {
    persistent: true,
    async createPlace() {
      const folder = await mkdtemp(join(tmpdir(), "spillway-contract-"));
      return {
        open: (now) => createSqliteStore({ path: join(folder, "spillway.db"), now }),
        remove: () => rm(folder, { recursive: true }),
      };
    },
  },
  runner,
);
