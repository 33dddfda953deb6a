import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { onTestFinished } from "vitest";
import { eventually } from "./reader.ts";

/** A running example. */
export interface Example {
  /** The printed address, with path. */
  readonly url: string;
  /** Its working directory, which is also the one for its temporary files. */
  readonly cwd: string;
  output(): string;
  /** Sends a signal, SIGTERM by default, and resolves to the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/**
 * Runs an example on a free port, in a working directory of its own, until it prints its address.
 *
 * @param onEnd takes what ends the example and removes its files. Default: it is called when the test has finished.
 */
export async function startExample(
  script: string,
  onEnd: (end: () => Promise<void>) => void = onTestFinished,
): Promise<Example> {
  const cwd = await mkdtemp(join(tmpdir(), "spillway-example-"));
  const path = resolve(import.meta.dirname, "../../examples", script);
  // In a process group of its own, so that a failed test leaves none of its processes.
  const env = { ...process.env, PORT: "0", TMPDIR: cwd };
  const child = spawn(process.execPath, [path], { cwd, env, detached: true });
  const exit = once(child, "exit") as Promise<[number | null]>;
  onEnd(async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, "SIGKILL");
    await exit;
    await rm(cwd, { recursive: true, force: true });
  });
  let output = "";
  for (const channel of [child.stdout, child.stderr]) channel.on("data", (chunk: Buffer) => (output += String(chunk)));
  const address = (): string | undefined => /http:\/\/127\.0\.0\.1:[1-9]\d*\S*/.exec(output)?.[0];
  await eventually(() => {
    if (child.exitCode !== null) throw new Error(`${script} ended: ${output}`);
    return address() !== undefined;
  }, `the address of ${script}`);
  return {
    url: address()!,
    cwd,
    output: () => output,
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      return (await exit)[0];
    },
  };
}
