import { describe, it } from "vitest";
import { createPostgresStore } from "../../src/log/postgres/index.ts";
import { describeLogStore } from "../../src/testing/index.ts";
import { openPostgresPlace, throughPort } from "../support/postgres.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";

describeLogStore(
  "postgres",
  {
    persistent: true,
    shared: true,
    losesAnswers: true,
    async createPlace() {
      const { url, remove } = openPostgresPlace();
      const proxy = await startTcpProxy(Number(new URL(url).port || 5432));
      return {
        open: (now, node) => createPostgresStore({ url: throughPort(url, proxy.port), node, now }),
        loseAnswers() {
          proxy.loseAnswers(true);
          return () => proxy.loseAnswers(false);
        },
        async remove() {
          await proxy.close();
          await remove();
        },
      };
    },
  },
  { describe, it },
);
