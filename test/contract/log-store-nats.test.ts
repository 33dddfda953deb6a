import { describe, it } from "vitest";
import { createNatsStore } from "../../src/log/nats/index.ts";
import { describeLogStore } from "../../src/testing/index.ts";
import { openNatsPlace } from "../support/nats.ts";

describeLogStore(
  "nats",
  {
    persistent: true,
    shared: true,
    async createPlace() {
      const { url, remove } = openNatsPlace();
      return { open: (now, node) => createNatsStore({ url, node, now }), remove };
    },
  },
  { describe, it },
);
