import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";
import { createServerProgram, type ServerCommand, type ServerProgram } from "./server-program.ts";

const run = promisify(execFile);

/** An engine that a test starts, ends and starts again. */
export interface EngineProcess extends Pick<ServerProgram, "start" | "pause"> {
  /** Stops it like an administrator: connections are closed, committed data is kept. */
  stop(): Promise<void>;
  /** Kills it, to simulate a power failure. */
  kill(): Promise<void>;
  /** Saves a copy of its data; stops it meanwhile. */
  save(): Promise<void>;
  /** Kills it and starts it with the saved copy. */
  restore(): Promise<void>;
  /** Kills it and removes its files. */
  remove(): Promise<void>;
}

/** An engine of a test's own. */
export interface EngineServer extends EngineProcess {
  /** Its port on 127.0.0.1. */
  readonly port: number;
  /** The URL of the store. */
  readonly url: string;
}

/** How an engine is started and ended. */
export interface EngineCommand extends ServerCommand {
  /** Removed in the end. */
  readonly home: string;
  /** In its home: where it keeps its data. */
  readonly folder: string;
  /** Default: SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
  /** Default: SIGKILL. */
  readonly killSignal?: NodeJS.Signals;
}

/** Starts an engine on data that is there. */
export async function startEngine(command: EngineCommand): Promise<EngineProcess> {
  const { home, folder, stopSignal = "SIGTERM", killSignal = "SIGKILL" } = command;
  const { start, end, pause } = createServerProgram(command);

  async function copy(from: string, to: string): Promise<void> {
    await rm(to, { recursive: true, force: true });
    await run("cp", ["-a", from, to]);
    await start();
  }

  await start();
  return {
    start,
    pause,
    stop: () => end(stopSignal),
    kill: () => end(killSignal),
    async save() {
      await end(stopSignal);
      await copy(folder, `${folder}.saved`);
    },
    async restore() {
      await end(killSignal);
      await copy(`${folder}.saved`, folder);
    },
    async remove() {
      await end(killSignal);
      await rm(home, { recursive: true, force: true });
    },
  };
}
