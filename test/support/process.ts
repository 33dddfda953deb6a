import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A tested Node program in a separate process. */
export interface Program {
  readonly process: ChildProcess;
  /** Its output so far, from stdout and stderr. */
  output(): string;
  /** Resolves once it has printed this text. */
  printed(text: string): Promise<void>;
  /** Sends a signal and resolves to the exit code, or the signal that ended it. */
  kill(signal: NodeJS.Signals): Promise<number | string>;
  /** The same with a repeated signal, since one that follows directly counts as a repetition of the first. */
  insist(signal: NodeJS.Signals): Promise<number | string>;
}

const root = new URL("../../", import.meta.url);

/** Starts a script of this repository. */
export function startProgram(script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
  const child = spawn(process.execPath, [fileURLToPath(new URL(script, root)), ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  let output = "";
  let check = (): void => {};
  for (const channel of [child.stdout, child.stderr]) {
    channel.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      check();
    });
  }
  return {
    process: child,
    output: () => output,
    printed: (text) =>
      new Promise((resolve, reject) => {
        check = () => {
          if (output.includes(text)) resolve();
        };
        void exited.then(() => reject(new Error(`it ended before it printed "${text}": ${output}`)));
        check();
      }),
    async kill(signal) {
      child.kill(signal);
      const [code, ended] = await exited;
      return code ?? ended!;
    },
    async insist(signal) {
      const sending = setInterval(() => child.kill(signal), 100);
      const [code, ended] = await exited;
      clearInterval(sending);
      return code ?? ended!;
    },
  };
}

/** The command line, as its users run it. */
export function startCli(...args: string[]): Program {
  return startProgram("dist/cli/main.js", args);
}
