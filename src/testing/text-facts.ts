import { deepEqual, equal } from "node:assert/strict";
import { newEvent, readAll } from "./events.ts";
import type { LogStoreFact } from "./log-store-fact.ts";

/** The facts about texts. */
export const textFacts: readonly LogStoreFact[] = [
  {
    title: "texts with any characters are read unchanged, including NUL and CR",
    async check({ open }) {
      const log = await open();
      const texts = [
        "ä€😀",
        "\u0000",
        "a\u0000b\u0000",
        "a\r\nb\rc",
        "\uFEFF",
        "'; DROP TABLE events; --",
        "\\u0000",
        " ",
      ];
      const batch = texts.map((text) => ({ event: text, data: text, channel: text, upstreamId: text }));
      await log.append(batch, { upstreamCursor: "c\u0000ü" });
      const events = await readAll(log);
      deepEqual(
        events.map(({ event, data, channel, upstreamId }) => ({ event, data, channel, upstreamId })),
        batch,
      );
      equal(log.state().upstreamCursor, "c\u0000ü");
      for (const [index, text] of texts.entries()) {
        equal(await log.find({ upstreamId: text }), index + 1);
        deepEqual(await readAll(log, 0, { channels: [text] }), [events[index]]);
        deepEqual(await readAll(log, 0, { events: [text] }), [events[index]]);
      }
    },
  },
  {
    title: "an empty text is distinct from an absent one",
    async check({ open }) {
      const log = await open();
      await log.append([newEvent("", { channel: "", upstreamId: "" }), newEvent("")]);
      const [first, second] = await readAll(log);
      deepEqual(
        [first?.channel, first?.upstreamId, second?.channel, second?.upstreamId],
        ["", "", undefined, undefined],
      );
      equal((await readAll(log, 0, { channels: [""] })).length, 1);
      equal(await log.find({ upstreamId: "" }), 1);
    },
  },
  {
    title: "a lone surrogate is read unchanged or as U+FFFD",
    async check({ open }) {
      const log = await open();
      await log.append([newEvent("a\uD800b")]);
      const [event] = await readAll(log);
      equal(Buffer.from(event?.data ?? "").toString(), "a\uFFFDb");
    },
  },
  {
    title: "an event of 1 MiB is read completely",
    async check({ open }) {
      const log = await open();
      const data = "0123456789abcde\n".repeat(65_536);
      await log.append([newEvent("before"), newEvent(data), newEvent("after")]);
      const events = await readAll(log);
      equal(events[1]?.data === data, true);
      equal(events[2]?.data, "after");
    },
  },
];
