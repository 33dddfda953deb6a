import type { Duplex } from "node:stream";
import { createFrameReader, encodeFrame, frameLimit } from "./frame.ts";

/**
 * The channel's file descriptor in the worker. Descriptor 3 is Node's own IPC channel, over which it passes
 * connections.
 */
export const channelDescriptor = 4;

/** Exchanges messages with another process, in order, over a dedicated pipe. */
export interface Channel<Message extends object> {
  send(message: Message): void;
  /** Sends a message encoded by {@link encodeFrame}, so that one encoding can be sent to many processes. */
  sendFrame(frame: Buffer): void;
  /** Sends the last message and closes the channel. */
  end(message: Message): void;
  /** The number of bytes that are buffered in this process. */
  readonly unsent: number;
}

export interface ChannelEvents<Message> {
  onMessage(message: Message): void;
  /** The buffer is empty again after the pipe was full. */
  onDrain?(): void;
  /** The other process has closed its end or has exited; called once. Later messages are dropped. */
  onClose(): void;
}

/** Opens a channel over a duplex stream. Data that is not a valid frame closes the stream. */
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
  // `close` follows and is handled below.
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
