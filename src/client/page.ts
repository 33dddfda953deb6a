/**
 * Listens to the page that this runs in; elsewhere nothing happens. Returns the function that stops it.
 *
 * @param hidden how long a page is hidden before it is paused, in ms; `undefined` to keep the connection
 * @param wake called when the network is back: connections may have died unnoticed
 * @param pause called when the page goes into the back/forward cache, or was hidden for long
 * @param resume called when the page is shown again, also if it was not paused
 */
export function watchPage(
  hidden: number | undefined,
  wake: () => void,
  pause: () => void,
  resume: () => void,
): () => void {
  const over = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const listen = (type: string, listener: () => void): void => globalThis.addEventListener?.(type, listener, over);
  listen("online", wake);
  listen("pagehide", pause);
  listen("pageshow", resume);
  // It bubbles from the document.
  listen("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) resume();
    else if (hidden !== undefined) timer = setTimeout(pause, hidden);
  });
  return () => {
    clearTimeout(timer);
    over.abort();
  };
}
