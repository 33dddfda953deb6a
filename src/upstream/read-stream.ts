import type { Readable } from "node:stream";
import { toFailure, UpstreamFailure } from "./failure.ts";

/**
 * Reads a body to its end, chunk by chunk. Nothing more is read before the next chunk is requested, so that a slow
 * consumer slows down the source instead of filling memory.
 *
 * @param idle time without any byte after which the stream counts as broken, in ms. The time that the consumer needs is
 * excluded.
 * @throws {UpstreamFailure} `upstream-timeout` after that time; `upstream-ended` if the connection broke.
 */
export async function* readStream(
  body: Readable,
  idle: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let taken = false;
  const watchdog = setTimeout(() => {
    if (!taken) body.destroy(new UpstreamFailure("upstream-timeout"));
  }, idle);
  const abort = (): void => void body.destroy(new UpstreamFailure("upstream-ended"));
  signal.addEventListener("abort", abort);
  try {
    signal.throwIfAborted();
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      taken = true;
      yield chunk;
      taken = false;
      watchdog.refresh();
    }
  } catch (error) {
    throw toFailure(error, "upstream-ended");
  } finally {
    clearTimeout(watchdog);
    signal.removeEventListener("abort", abort);
  }
}
