import type { Upload } from "./exchange.ts";

/** A request's body, which can be read by one attempt only. */
export class RequestBody implements AsyncIterable<Uint8Array>, Upload {
  readonly #chunks: AsyncIterable<Uint8Array>;
  isRead = false;
  /** Why the client's body could not be read. */
  failure: Error | undefined;
  onProgress: (() => void) | undefined;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    const chunks = this.#chunks[Symbol.asyncIterator]();
    return {
      next: async () => {
        this.isRead = true;
        this.onProgress?.();
        try {
          return await chunks.next();
        } catch (error) {
          this.failure = error as Error;
          throw error;
        }
      },
      return: async () => {
        if (this.isRead) await chunks.return?.();
        return { done: true, value: undefined };
      },
    };
  }
}
