import { EventSource } from "eventsource";
import { eventually } from "./reader.ts";

/** One event as a client saw it. */
export interface Received {
  readonly event: string;
  readonly data: string;
  readonly id: string;
}

/** A client that records its events and reconnects like `EventSource`. */
export interface Recorder {
  /** All events of the given types and of `message`, in the order of arrival. */
  received(): Promise<readonly Received[]>;
  close(): Promise<void>;
}

/** The npm package `eventsource`, with listeners for some types in addition to `message`. */
export function recordEvents(url: string, types: readonly string[]): Recorder {
  const source = new EventSource(url);
  const received: Received[] = [];
  for (const type of new Set(["message", ...types])) {
    source.addEventListener(type, ({ data, lastEventId }: MessageEvent<string>) => {
      received.push({ event: type, data, id: lastEventId });
    });
  }
  return {
    received: () => Promise.resolve(received),
    close() {
      source.close();
      return Promise.resolve();
    },
  };
}

/** Waits until the recorder has this many events of a type. */
export async function untilReceived(recorder: Recorder, event: string, count: number): Promise<void> {
  let last: readonly Received[] = [];
  const enough = async (): Promise<boolean> => {
    last = await recorder.received();
    return last.filter((one) => one.event === event).length >= count;
  };
  await eventually(enough, event, 20).catch(() => {
    throw new Error(`waited for ${count} × ${event}, got ${JSON.stringify(last.slice(-5))} of ${last.length}`);
  });
}
