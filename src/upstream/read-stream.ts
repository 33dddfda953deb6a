import type { Readable } from "node:stream";
import { toFailure, UpstreamFailure } from "./failure.ts";

/**
 * Reads a body to its end, chunk by chunk. Nothing more is read until `take` has resolved, so that a slow consumer
 * slows down the source instead of filling memory.
 *
 * @param idle time without any byte after which the stream counts as broken, in ms. The time that `take` needs is
 * excluded.
 * @throws {UpstreamFailure} `upstream-timeout` after that time; `upstream-ended` if the connection broke; what `take`
 * throws.
 */
export async function readStream(
  body: Readable,
  idle: number,
  signal: AbortSignal,
  take: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  let taking = false;
  const watchdog = setTimeout(() => {
    if (!taking) body.destroy(new UpstreamFailure("upstream-timeout"));
  }, idle);
  const abort = (): void => void body.destroy(new UpstreamFailure("upstream-ended"));
  signal.addEventListener("abort", abort);
  try {
    signal.throwIfAborted();
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      taking = true;
      await take(chunk);
      taking = false;
      watchdog.refresh();
    }
  } catch (error) {
    throw toFailure(error, "upstream-ended");
  } finally {
    clearTimeout(watchdog);
    signal.removeEventListener("abort", abort);
  }
}
