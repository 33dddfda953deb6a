import type { Channel } from "./channel.ts";
import type { ToWorker } from "./messages.ts";

/** News for one worker. However slow it is, they take a bounded part of the primary's memory. */
export interface Feed {
  /**
   * Sends the news of a topic. A worker that does not keep up gets `reminder` instead, once it has taken all that was sent, and only
   * the last one of the topic.
   */
  tell(topic: string, news: () => Buffer, reminder: () => Buffer): void;
  /** To be called when the channel has drained. */
  onDrain(): void;
}

/** Bytes that may wait for one worker. */
export const feedLimit: number = 8 * 1024 * 1024;

/** Makes the feed of a channel. */
export function createFeed(channel: Pick<Channel<ToWorker>, "sendFrame" | "unsent">, limit: number = feedLimit): Feed {
  const late = new Map<string, () => Buffer>();
  return {
    tell(topic, news, reminder) {
      if (channel.unsent > limit) return void late.set(topic, reminder);
      // What was kept of the topic is older.
      late.delete(topic);
      const frame = news();
      channel.sendFrame(channel.unsent + frame.length > limit ? reminder() : frame);
    },
    onDrain() {
      for (const reminder of late.values()) channel.sendFrame(reminder());
      late.clear();
    },
  };
}
