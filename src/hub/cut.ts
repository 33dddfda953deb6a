import type { Sink } from "./sink.ts";

/** How long a client may take to read the pending bytes of a response that is over, in ms. */
const closeGrace = 5000;

/** How often the pending bytes of a response that is to be cut are looked at, in ms. */
const interval = 20;

/** Cuts an ended sink if it still has pending bytes after `grace` ms. */
export function cutLater(sink: Sink, grace: number = closeGrace): void {
  if (sink.pending > 0) setTimeout(() => sink.destroy(), grace).unref();
}

/** Cuts a response without its end, once the pending bytes are sent. */
export function cutWhenSent(sink: Sink): void {
  if (sink.pending === 0) return sink.destroy();
  const deadline = performance.now() + closeGrace;
  const timer = setInterval(() => {
    if (sink.pending > 0 && performance.now() < deadline) return;
    clearInterval(timer);
    sink.destroy();
  }, interval);
  timer.unref();
}
