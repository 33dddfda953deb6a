import { describe, it } from "vitest";
import { createMysqlStore } from "../../src/log/mysql/index.ts";
import { describeLogStore } from "../../src/testing/index.ts";
import { openMysqlPlace } from "../support/mysql.ts";
import { openProxiedPlace } from "../support/proxied-place.ts";

describeLogStore(
  "mysql",
  {
    persistent: true,
    shared: true,
    removes: true,
    losesAnswers: true,
    createPlace: () => openProxiedPlace(openMysqlPlace(), (url, now, node) => createMysqlStore({ url, node, now })),
  },
  { describe, it },
);
