import { expect, test } from "vitest";
import type { Sink } from "../../../src/hub/sink.ts";
import { createIdleWatch } from "../../../src/proxy/idle-watch.ts";
import { endWithin } from "../../../src/proxy/unread-rest.ts";
import { eventually } from "../../support/reader.ts";

/** A sink whose client has still to read some bytes. */
function createSink(pending: number): Sink & { pending: number; sent: number; calls: string[] } {
  const calls: string[] = [];
  return {
    pending,
    sent: 0,
    full: true,
    calls,
    write: () => {},
    end: () => calls.push("end"),
    destroy: () => calls.push("destroy"),
  };
}

test("a client that reads nothing more of a complete response is disconnected", async () => {
  const sink = createSink(10);
  endWithin(createIdleWatch(20), sink, undefined);
  expect(sink.calls).toEqual(["end"]);
  await eventually(() => sink.calls.includes("destroy"));
});

test("a client that reads on is not disconnected, and is no longer watched once it has everything", async () => {
  const watch = createIdleWatch(20);
  const sink = createSink(1000);
  let checks = 0;
  const slow: Sink = {
    ...sink,
    get pending() {
      return sink.pending;
    },
    get sent() {
      checks++;
      sink.pending = Math.max(0, sink.pending - 250);
      return (sink.sent += 250);
    },
  };
  endWithin(watch, slow, undefined);
  await eventually(() => sink.pending === 0 && checks > 4);
  const stalled = createSink(1);
  endWithin(watch, stalled, undefined);
  await eventually(() => stalled.calls.includes("destroy"));
  expect(sink.calls).toEqual(["end"]);
});
