/** Calls between this process and the helpers that it forks, over Node's IPC channel. */

/**
 * In a helper: answers calls of the parent process, and exits with it.
 * @param {Record<string, (params: any) => unknown>} handlers
 */
export function answerCalls(handlers) {
  process.on("message", async (/** @type {any} */ { id, method, params }) => {
    try {
      const result = await handlers[method]?.(params);
      process.send?.({ id, result });
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? error.stack : String(error) });
    }
  });
  process.once("disconnect", () => process.exit(0));
}

/**
 * In the parent process: calls a method of a helper by name. A call fails if the helper throws or exits.
 * @param {import("node:child_process").ChildProcess} child
 * @returns {(method: string, params?: object) => Promise<any>}
 */
export function createCaller(child) {
  /** @type {Map<number, { resolve(value: unknown): void, reject(error: Error): void }>} */
  const pending = new Map();
  let lastId = 0;
  child.on("message", (/** @type {any} */ { id, result, error }) => {
    const call = pending.get(id);
    pending.delete(id);
    if (error === undefined) call?.resolve(result);
    else call?.reject(new Error(error));
  });
  child.once("exit", (code, signal) => {
    for (const { reject } of pending.values()) reject(new Error(`a helper process ended with ${code ?? signal}`));
    pending.clear();
  });
  return (method, params) =>
    new Promise((resolve, reject) => {
      if (!child.connected) return reject(new Error("a helper process has ended"));
      const id = ++lastId;
      pending.set(id, { resolve, reject });
      child.send({ id, method, params });
    });
}
