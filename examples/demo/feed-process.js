/** Runs feed.js as a child process and restarts it on the same port if it exits. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("feed.js", import.meta.url));
const restartDelay = 1000;

/**
 * @param {string} apiKey The key that the feed requires.
 * @returns {Promise<{ port: number, stop(): Promise<void> }>} Resolves when the feed listens.
 */
export async function startFeed(apiKey) {
  let stopped = false;
  let port = 0;
  let restart;
  let child = run();

  function run() {
    const env = { ...process.env, FEED_API_KEY: apiKey, FEED_PORT: String(port) };
    return fork(script, { env }).once("exit", () => {
      // Port 0 means that it has never listened: the start has failed.
      if (!stopped && port !== 0) restart = setTimeout(() => (child = run()), restartDelay);
    });
  }

  port = await new Promise((resolve, reject) => {
    child.once("message", (message) => resolve(message.port));
    child.once("exit", (code) => reject(new Error(`the demo feed exited with code ${code}`)));
  });

  return {
    port,
    stop() {
      stopped = true;
      clearTimeout(restart);
      if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
      return new Promise((resolve) => {
        child.once("exit", resolve);
        child.kill("SIGTERM");
      });
    },
  };
}
