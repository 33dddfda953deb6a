/** The media type of an event stream. */
export const eventStreamType = "text/event-stream";

/**
 * The response headers of an event stream: caches must not store it, and proxies must not transform (compress) or
 * buffer it. `X-Accel-Buffering` is for nginx.
 */
export const eventStreamHeaders: Readonly<Record<string, string>> = Object.freeze({
  "Content-Type": eventStreamType,
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no",
});

/** Whether a `Content-Type` header names an event stream, ignoring case and parameters. */
export function isEventStream(contentType: string | null | undefined): boolean {
  return contentType?.split(";", 1)[0]?.trim().toLowerCase() === eventStreamType;
}
