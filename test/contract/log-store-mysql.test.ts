import { describe, it } from "vitest";
import { createMysqlStore } from "../../src/log/mysql/index.ts";
import { describeLogStore } from "../../src/testing/index.ts";
import { openMysqlPlace, throughPort } from "../support/mysql.ts";
import { openProxiedPlace } from "../support/proxied-place.ts";

describeLogStore(
  "mysql",
  {
    persistent: true,
    shared: true,
    losesAnswers: true,
    createPlace() {
      const { url, remove } = openMysqlPlace();
      return openProxiedPlace(
        Number(new URL(url).port || 3306),
        (port, now, node) => createMysqlStore({ url: throughPort(url, port), node, now }),
        remove,
      );
    },
  },
  { describe, it },
);
