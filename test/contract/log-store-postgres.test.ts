import { describe, it } from "vitest";
import { createPostgresStore } from "../../src/log/postgres/index.ts";
import { describeLogStore } from "../../src/testing/index.ts";
import { openPostgresPlace } from "../support/postgres.ts";
import { openProxiedPlace } from "../support/proxied-place.ts";

describeLogStore(
  "postgres",
  {
    persistent: true,
    shared: true,
    removes: true,
    losesAnswers: true,
    createPlace: () =>
      openProxiedPlace(openPostgresPlace(), (url, now, node) => createPostgresStore({ url, node, now })),
  },
  { describe, it },
);
