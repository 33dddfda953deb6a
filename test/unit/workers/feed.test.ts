import { expect, test } from "vitest";
import { createFeed } from "../../../src/workers/feed.ts";

/** A channel that keeps what it is given until it is drained. */
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

test("what waits for a worker that takes nothing stays within the limit, and reminders are one for each topic", () => {
  const channel = stuckChannel();
  const feed = createFeed(channel, 100);
  for (let n = 0; n < 1000; n++) feed.tell(`topic ${n % 2}`, text("n".repeat(30)), text(`r${n}`));
  expect(channel.unsent).toBeLessThan(200);
  const before = channel.frames.length;
  channel.unsent = 0;
  feed.onDrain();
  // The last of each topic, and nothing else.
  expect(channel.frames.slice(before).toSorted()).toEqual(["r998", "r999"]);
  feed.onDrain();
  expect(channel.frames).toHaveLength(before + 2);
});

test("news that are larger than the limit are replaced by their reminder at once", () => {
  const channel = stuckChannel();
  createFeed(channel, 100).tell("a", text("n".repeat(101)), text("r"));
  expect(channel.frames).toEqual(["r"]);
});

test("a reminder never follows what is newer", () => {
  const channel = stuckChannel();
  const feed = createFeed(channel, 100);
  channel.unsent = 101;
  feed.tell("a", text("old"), text("old reminder"));
  channel.unsent = 50;
  feed.tell("a", text("new"), text("new reminder"));
  feed.onDrain();
  expect(channel.frames).toEqual(["new"]);
});
