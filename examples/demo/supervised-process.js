/** A Node program that runs as a process of its own, and is started again whenever it ends. */
import { spawn } from "node:child_process";
import { once } from "node:events";

/**
 * @typedef {object} SupervisedProcess
 * @property {Promise<void>} ready Resolves when it listens; rejects if the first start fails.
 * @property {string} origin Where it listens, such as `http://127.0.0.1:8081`. It stays the same.
 * @property {number | undefined} pid `undefined` while it does not listen.
 * @property {() => Promise<{ killed: number, pid: number, downFor: number }>} kill Kills it with SIGKILL. Resolves when it
 *   listens again, after `downFor` ms.
 * @property {() => Promise<void>} stop Ends it with SIGTERM.
 *
 * @param {object} options
 * @param {string} options.name For messages.
 * @param {string[]} options.command Arguments of Node.
 * @param {(port: number) => NodeJS.ProcessEnv} options.env Variables; the port is 0 until it has listened.
 * @param {string} [options.cwd]
 * @param {number} options.restartDelay In ms.
 * @returns {SupervisedProcess}
 */
export function superviseProcess({ name, command, env, cwd, restartDelay }) {
  const ended = new AbortController();
  let child;
  let pid;
  let port = 0;
  let restart;
  /** Called when it listens again. */
  let onReady = () => {};

  function run() {
    const started = (child = spawn(process.execPath, command, {
      cwd,
      env: { ...process.env, ...env(port) },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    }));
    let output = "";
    const read = (chunk) => {
      output = (output + chunk).slice(-4000);
      const address = /http:\/\/127\.0\.0\.1:(\d+)/.exec(output);
      if (pid !== undefined || !address || ended.signal.aborted) return;
      port = Number(address[1]);
      pid = started.pid;
      onReady();
    };
    started.stdout.on("data", read);
    started.stderr.on("data", read);
    started.once("exit", (code, signal) => {
      pid = undefined;
      if (ended.signal.aborted) return;
      const reason = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
      if (port === 0) return onReady(new Error(`the ${name} ${reason}:\n${output}`));
      console.log(`The ${name} ${reason}, and is started again`);
      if (code !== null) console.log(output);
      restart = setTimeout(run, restartDelay);
    });
  }

  const nextReady = () => new Promise((resolve, reject) => (onReady = (error) => (error ? reject(error) : resolve())));

  const ready = nextReady();
  run();

  return {
    ready,
    get origin() {
      return `http://127.0.0.1:${port}`;
    },
    get pid() {
      return pid;
    },
    async kill() {
      const killed = pid;
      if (killed === undefined) throw new Error(`the ${name} is not running`);
      const since = performance.now();
      const again = nextReady();
      child.kill("SIGKILL");
      await again;
      return { killed, pid, downFor: Math.round(performance.now() - since) };
    },
    async stop() {
      ended.abort();
      clearTimeout(restart);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, "exit");
      child.kill("SIGTERM");
      await exit;
    },
  };
}
