import { signal as createSignal, useSignal, type ReadonlySignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { load } from "./api.ts";

/** What was loaded last, and why the last attempt failed. */
export interface Polled<T> {
  readonly data: T | undefined;
  readonly error: Error | undefined;
}

/** Whether the page is visible. A hidden page requests nothing. */
const visible = createSignal(!document.hidden);
document.addEventListener("visibilitychange", () => (visible.value = !document.hidden));

/** Calls `run` at once and then at an interval in ms, while the page is visible and the component is shown. */
export function useInterval(run: (signal: AbortSignal) => Promise<void>, interval: number, key = ""): void {
  const isVisible = visible.value;
  useEffect(() => {
    if (!isVisible) return undefined;
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const again = async (): Promise<void> => {
      await run(controller.signal);
      if (!controller.signal.aborted) timer = setTimeout(() => void again(), interval);
    };
    void again();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [isVisible, interval, key]);
}

/** Loads JSON at once and then at an interval in ms. After a failure, what was loaded before is kept. */
export function usePoll<T>(path: string, interval: number): ReadonlySignal<Polled<T>> {
  const polled = useSignal<Polled<T>>({ data: undefined, error: undefined });
  useInterval(
    async (signal) => {
      try {
        const data = await load<T>(path, signal);
        if (!signal.aborted) polled.value = { data, error: undefined };
      } catch (error) {
        if (!signal.aborted) polled.value = { data: polled.value.data, error: error as Error };
      }
    },
    interval,
    path,
  );
  return polled;
}
