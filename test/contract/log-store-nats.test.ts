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
    losesAnswers: true,
    createPlace() {
      const { url, remove } = openNatsPlace();
      return openProxiedPlace(
        Number(new URL(url).port || 4222),
        (port, now, node) =>
          createNatsStore({ url: url.replace(/(?<=[/@])[^/@?]+(?=[/?])/, `127.0.0.1:${port}`), node, now }),
        remove,
      );
    },
  },
  { describe, it },
);
