import type { Duplex } from "node:stream";
import { createFrameReader, encodeFrame, frameLimit } from "./frame.ts";

/** The channel's file descriptor in the worker; Node's own, for connections that it hands over, is the one before. */
export const channelDescriptor = 4;

/** Messages to and from another process, in order, over a pipe of their own. */
export interface Channel<Message extends object> {
  send(message: Message): void;
  /** Sends what {@link encodeFrame} made of a message: the same bytes may go to many. */
  sendFrame(frame: Buffer): void;
  /** Sends the last message, and closes behind it. */
  end(message: Message): void;
  /** Bytes handed over that have not left this process. */
  readonly unsent: number;
}

export interface ChannelEvents<Message> {
  onMessage(message: Message): void;
  /** Nothing is left unsent, after there was more than the pipe takes. */
  onDrain?(): void;
  /** The other process has closed its end or is gone; called once. What is sent from then on goes nowhere. */
  onClose(): void;
}

/** Opens a channel over a duplex stream. A stream that carries something other than frames is closed. */
export function openChannel<Sent extends object, Received>(
  stream: Duplex,
  { onMessage, onDrain, onClose }: ChannelEvents<Received>,
): Channel<Sent> {
  const read = createFrameReader(frameLimit, (message) => onMessage(message as Received));
  const sendFrame = (frame: Buffer): void => {
    if (!stream.destroyed) stream.write(frame);
  };
  stream.on("data", (chunk: Buffer) => {
    try {
      read(chunk);
    } catch (error) {
      stream.destroy(error as Error);
    }
  });
  stream.on("drain", () => onDrain?.());
  stream.on("end", () => stream.destroy());
  // What a broken pipe means is said by its close.
  stream.on("error", () => {});
  stream.on("close", onClose);
  return {
    send: (message) => sendFrame(encodeFrame(message)),
    sendFrame,
    end: (message) => void stream.end(encodeFrame(message)),
    get unsent() {
      return stream.writableLength;
    },
  };
}
