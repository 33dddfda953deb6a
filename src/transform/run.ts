import type { ErrorCode } from "../errors.ts";
import { InvalidResult, toEvents, toTransformEvent, type EventFields } from "./encode.ts";
import type { Transform, TransformContext, TransformResult } from "./transform.ts";

/** How long a transform may take. */
export interface RunOptions {
  /** How long its promise may be pending, in ms. A function that does not return cannot be interrupted. */
  readonly timeout: number;
  /** Ends the wait for the promise. */
  readonly signal?: AbortSignal | undefined;
}

/** The codes of a transform's errors. */
export type TransformErrorCode = Extract<ErrorCode, `transform-${string}`>;

class TransformTimeout extends Error {
  override readonly name = "TransformTimeout";
}

/**
 * The events in the place of one event.
 * @throws whatever the transform throws, `InvalidResult`, `TransformTimeout`, or the reason of the signal.
 */
export async function runTransform(
  transform: Transform,
  event: EventFields,
  context: TransformContext,
  options: RunOptions,
): Promise<EventFields[]> {
  const result = transform(toTransformEvent(event), context);
  return toEvents(isPromise(result) ? await settled(result, options) : result, event);
}

/** Whether the result of a transform is pending. */
export function isPromise(result: unknown): result is PromiseLike<TransformResult> {
  return typeof (result as { readonly then?: unknown } | null | undefined)?.then === "function";
}

async function settled<T>(pending: PromiseLike<T>, { timeout, signal }: RunOptions): Promise<T> {
  let end = (): void => {};
  const ended = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new TransformTimeout()), timeout);
    const abort = (): void => reject(signal?.reason as Error);
    end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    };
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort);
  });
  return Promise.race([pending, ended]).finally(() => end());
}

/** The code of an error of {@link runTransform}. */
export function transformErrorCode(error: unknown): TransformErrorCode {
  if (error instanceof TransformTimeout) return "transform-timeout";
  return error instanceof InvalidResult ? "transform-invalid" : "transform-failed";
}

/**
 * The kind of an error and the line of the module. Its message may quote the data of the event, as that of JSON.parse
 * does.
 */
export function describeError(error: unknown, module: string | undefined): object {
  if (error instanceof InvalidResult) return { error: error.name, reason: error.message };
  if (!(error instanceof Error)) return { error: typeof error };
  const start = module === undefined ? -1 : (error.stack?.indexOf(`${module}:`) ?? -1);
  const line = start === -1 ? undefined : /^:\d+/.exec(error.stack!.slice(start + module!.length))?.[0].slice(1);
  return { error: error.name, ...(line !== undefined && { line: Number(line) }) };
}
