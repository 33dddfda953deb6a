import { describe, it } from "vitest";
import { createPostgresStore } from "../../src/log/postgres/index.ts";
import { describeLogStore } from "../../src/testing/index.ts";
import { openPostgresPlace, throughPort } from "../support/postgres.ts";
import { openProxiedPlace } from "../support/proxied-place.ts";

describeLogStore(
  "postgres",
  {
    persistent: true,
    shared: true,
    losesAnswers: true,
    createPlace() {
      const { url, remove } = openPostgresPlace();
      return openProxiedPlace(
        Number(new URL(url).port || 5432),
        (port, now, node) => createPostgresStore({ url: throughPort(url, port), node, now }),
        remove,
      );
    },
  },
  { describe, it },
);
