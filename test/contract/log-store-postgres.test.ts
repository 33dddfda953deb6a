import { describe, it } from "vitest";
import { createPostgresStore } from "../../src/log/postgres/index.ts";
import { describeLogStore } from "../../src/testing/index.ts";
import { openPostgresPlace } from "../support/postgres.ts";

describeLogStore(
  "postgres",
  {
    persistent: true,
    shared: true,
    async createPlace() {
      const { url, remove } = openPostgresPlace();
      return { open: (now, node) => createPostgresStore({ url, node, now }), remove };
    },
  },
  { describe, it },
);
