import { describe, it } from "vitest";
import { createMysqlStore } from "../../src/log/mysql/index.ts";
import { describeLogStore } from "../../src/testing/index.ts";
import { openMysqlPlace } from "../support/mysql.ts";

describeLogStore(
  "mysql",
  {
    persistent: true,
    shared: true,
    async createPlace() {
      const { url, remove } = openMysqlPlace();
      return { open: (now, node) => createMysqlStore({ url, node, now }), remove };
    },
  },
  { describe, it },
);
