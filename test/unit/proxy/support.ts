import type { Framed, Sink, SinkListener } from "../../../src/hub/sink.ts";
import { concat } from "../sse/streams.ts";

/** A sink that keeps what is written to it. */
export interface TestSink extends Sink {
  full: boolean;
  /** Writes after which it is full until `drain`. */
  fullAfter: number;
  listener: SinkListener | undefined;
  readonly writes: number;
  readonly trailers: Readonly<Record<string, string>> | undefined;
  readonly ended: Promise<void>;
  readonly destroyed: Promise<void>;
  drain(): void;
  bytes(): Uint8Array;
  text(): string;
}

export function createTestSink(): TestSink {
  const written: Uint8Array[] = [];
  let trailers: Readonly<Record<string, string>> | undefined;
  let onEnd!: () => void;
  let onDestroy!: () => void;
  const sink: TestSink = {
    full: false,
    fullAfter: Infinity,
    listener: undefined,
    pending: 0,
    sent: 0,
    ended: new Promise((resolve) => (onEnd = resolve)),
    destroyed: new Promise((resolve) => (onDestroy = resolve)),
    get writes() {
      return written.length;
    },
    get trailers() {
      return trailers;
    },
    write({ payload }: Framed) {
      written.push(payload);
      if (written.length % sink.fullAfter === 0) sink.full = true;
    },
    end(last) {
      trailers = last;
      onEnd();
    },
    destroy() {
      onDestroy();
      sink.listener?.onClose();
    },
    drain() {
      sink.full = false;
      sink.listener?.onDrain();
    },
    bytes: () => concat(written),
    text: () => new TextDecoder("utf-8", { ignoreBOM: true }).decode(concat(written)),
  };
  return sink;
}
