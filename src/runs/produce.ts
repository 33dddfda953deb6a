import type { SinkListener } from "../hub/sink.ts";
import { frame } from "../proxy/frame.ts";
import { encodeEvent, eventStreamHeaders, isEventStream } from "../sse/index.ts";
import { storedHead } from "./run-response.ts";
import type { RunWriter } from "./writer.ts";

/** An event of a program's run: its data, or its data and type. Data that is not text is sent as its JSON text. */
export type RunEvent = string | { readonly event?: string | undefined; readonly data: unknown };

/**
 * Makes the events of a run: yields them, or resolves to a response whose body is an event stream, such as that of
 * `fetch` or of the AI SDK. `signal` aborts when the run is stopped.
 */
export type RunProducer = (
  signal: AbortSignal,
) => AsyncIterable<RunEvent> | Response | Promise<AsyncIterable<RunEvent> | Response>;

/** Stores what a producer makes. Never rejects: a producer that throws makes the run fail. */
export async function produce(
  producer: RunProducer,
  writer: RunWriter,
  onFailure: (error: unknown) => void,
): Promise<void> {
  const stopping = new AbortController();
  const room = new Room();
  writer.attach({
    onClose: () => stopping.abort(),
    onDrain: () => room.open(),
    onHalfClose() {},
  } satisfies SinkListener);
  stopping.signal.addEventListener("abort", () => room.open());
  try {
    const source = await producer(stopping.signal);
    for await (const bytes of source instanceof Response ? bodyOf(source, writer) : encoded(source, writer)) {
      writer.write(frame(bytes));
      // What has ended takes nothing, and never has room again.
      if (writer.full && !writer.isOver) await room.opened();
      if (writer.isOver) return;
    }
    writer.end();
  } catch (error) {
    if (!writer.isOver) onFailure(error);
    writer.stop({ state: "failed", reason: "producer-failed", message: "the run failed" });
  }
}

/** Lets a producer wait until what it has made is stored. */
class Room {
  #waiting: (() => void) | undefined;

  opened(): Promise<void> {
    return new Promise((resolve) => (this.#waiting = resolve));
  }

  open(): void {
    this.#waiting?.();
    this.#waiting = undefined;
  }
}

async function* bodyOf(response: Response, writer: RunWriter): AsyncGenerator<Uint8Array> {
  const { status, headers, body, ok } = response;
  if (!ok || !isEventStream(headers.get("content-type") ?? undefined)) {
    await body?.cancel();
    throw new TypeError(`the producer's response is no event stream: status ${status}, ${headers.get("content-type")}`);
  }
  writer.begin(storedHead(status, Object.fromEntries(headers)));
  if (body) yield* body as unknown as AsyncIterable<Uint8Array>;
}

async function* encoded(events: AsyncIterable<RunEvent>, writer: RunWriter): AsyncGenerator<Uint8Array> {
  writer.begin({ status: 200, headers: eventStreamHeaders });
  for await (const item of events) {
    const { event, data } = typeof item === "string" ? { event: undefined, data: item } : item;
    yield Buffer.from(encodeEvent({ event, data: typeof data === "string" ? data : JSON.stringify(data) }));
  }
}
