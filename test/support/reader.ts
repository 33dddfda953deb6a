import { createParser, type SseEvent } from "spillway/sse";
import { patience } from "./patience.ts";

/** The received items in order. */
export interface Reading {
  readonly response: Response;
  /** Events and control events. */
  readonly events: SseEvent[];
  /** Ids of blocks without data. */
  readonly ids: string[];
  readonly comments: string[];
  /** The reconnect delays, in ms. */
  readonly retries: number[];
  /** True once the body has ended or broken. */
  ended: boolean;
  /** Resolves when the condition holds; rejects when the stream ends first. */
  until(condition: (reading: Reading) => boolean): Promise<Reading>;
  /** The data of all events except control events. */
  data(): string[];
  /** The control events with this name, with parsed JSON. */
  controls(name: string): Array<Record<string, unknown>>;
  /** Stops reading, like a client that disconnects. */
  cancel(): Promise<void>;
}

/** Reads an event stream continuously. */
export function read(response: Response): Reading {
  const waiting = new Set<() => void>();
  const notify = (): void => {
    for (const check of waiting) check();
  };
  const reader = response.body!.getReader();
  const reading: Reading = {
    response,
    events: [],
    ids: [],
    comments: [],
    retries: [],
    ended: false,
    until(condition) {
      return new Promise((resolve, reject) => {
        const check = (): void => {
          if (condition(reading)) resolve(reading);
          else if (reading.ended) reject(new Error(`the stream ended after ${JSON.stringify(reading.events)}`));
          else return;
          waiting.delete(check);
        };
        waiting.add(check);
        check();
      });
    },
    data: () => reading.events.filter(isOfStream).map(({ data }) => data),
    controls: (name) =>
      reading.events
        .filter(({ event }) => event === name)
        .map(({ data }) => JSON.parse(data) as Record<string, unknown>),
    cancel: () => reader.cancel(),
  };
  const parser = createParser({
    onEvent: (event) => reading.events.push(event),
    onId: (id) => reading.ids.push(id),
    onComment: (text) => reading.comments.push(text),
    onRetry: (ms) => reading.retries.push(ms),
  });
  void (async () => {
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        parser.push(value);
        notify();
      }
    } catch {
      // A broken connection counts as the end.
    } finally {
      reading.ended = true;
      notify();
    }
  })();
  return reading;
}

function isOfStream({ event }: SseEvent): boolean {
  return event !== "connected" && !event.startsWith("spillway.");
}

/** Resolves when the condition holds. Polls every `interval` ms, for conditions without a notification. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what = "the condition",
  interval = 5,
): Promise<void> {
  const deadline = Date.now() + patience;
  let pause = interval;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`${what} did not come true`);
    await new Promise((resolve) => setTimeout(resolve, pause));
    // Most conditions ask a process that is busy, and each question makes it busier.
    pause = Math.min(pause * 1.5, Math.max(interval, 50));
  }
}
