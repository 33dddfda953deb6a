import { describe, it } from "vitest";
import { createNatsStore } from "../../src/log/nats/index.ts";
import { describeLogStore } from "../../src/testing/index.ts";
import { openNatsPlace } from "../support/nats.ts";
import { openProxiedPlace } from "../support/proxied-place.ts";

describeLogStore(
  "nats",
  {
    persistent: true,
    shared: true,
    removes: true,
    losesAnswers: true,
    createPlace: () => openProxiedPlace(openNatsPlace(), (url, now, node) => createNatsStore({ url, node, now })),
  },
  { describe, it },
);
