import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "vitest";
import { createMemoryStore } from "../../src/log/memory/index.ts";
import { createSqliteStore } from "../../src/log/sqlite/index.ts";
import { describeLogStore } from "../../src/testing/index.ts";
import { createLossyEngine } from "../support/lossy-store.ts";

const runner = { describe, it };

describeLogStore(
  "memory",
  {
    persistent: false,
    removes: true,
    createPlace: async () => ({ open: async (now) => createMemoryStore({ now }), remove: async () => {} }),
  },
  runner,
);

describeLogStore(
  "sqlite",
  {
    persistent: true,
    removes: true,
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

describeLogStore(
  "an engine that can lose answers",
  {
    persistent: true,
    losesAnswers: true,
    async createPlace() {
      const engine = createLossyEngine();
      return {
        open: async (now) => engine.open(now),
        loseAnswers() {
          engine.outcomes(() => "answer lost");
          return () => engine.outcomes(() => "fine");
        },
        remove: async () => {},
      };
    },
  },
  runner,
);
