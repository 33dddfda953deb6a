import { expect, test } from "vitest";
import { createNotifier } from "../../../src/workers/primary/notifier.ts";

/** A channel that queues its messages until it is drained. */
function stuckChannel(): { unsent: number; frames: string[]; sendFrame(frame: Buffer): void } {
  return {
    unsent: 0,
    frames: [],
    sendFrame(frame) {
      this.unsent += frame.length;
      this.frames.push(frame.toString());
    },
  };
}

const text = (value: string) => (): Buffer => Buffer.from(value);

test("the data that waits for a worker that reads nothing stays within the limit, with one reminder per topic", () => {
  const channel = stuckChannel();
  const notifier = createNotifier(channel, 100);
  for (let n = 0; n < 1000; n++) notifier.notify(`topic ${n % 2}`, text("n".repeat(30)), text(`r${n}`));
  expect(channel.unsent).toBeLessThan(200);
  const before = channel.frames.length;
  channel.unsent = 0;
  notifier.onDrain();
  // The last of each topic, and nothing else.
  expect(channel.frames.slice(before).toSorted()).toEqual(["r998", "r999"]);
  notifier.onDrain();
  expect(channel.frames).toHaveLength(before + 2);
});

test("a notification that is larger than the limit is replaced by its reminder at once", () => {
  const channel = stuckChannel();
  createNotifier(channel, 100).notify("a", text("n".repeat(101)), text("r"));
  expect(channel.frames).toEqual(["r"]);
});

test("a reminder never follows a newer notification", () => {
  const channel = stuckChannel();
  const notifier = createNotifier(channel, 100);
  channel.unsent = 101;
  notifier.notify("a", text("old"), text("old reminder"));
  channel.unsent = 50;
  notifier.notify("a", text("new"), text("new reminder"));
  notifier.onDrain();
  expect(channel.frames).toEqual(["new"]);
});
