import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, isReachable } from "./ports.ts";
import { createServerProgram } from "./server-program.ts";

/** A proxy, as its package installs it. */
export interface ProxyProgram {
  /** Of the program. */
  readonly name: string;
  /** The file that it is started with. */
  readonly main: string;
  /** To run in the foreground, in the folder of its files. */
  readonly args: readonly string[];
}

/** Where a proxy runs. */
export interface ProxyPlace {
  /** A directory for its files, removed at the end. */
  readonly folder: string;
  /** Of 127.0.0.1, for it to listen on. */
  readonly port: number;
}

/** A proxy that a test has started. */
export interface RunningProxy extends ProxyPlace {
  /** Starts it again after {@link kill}, on the same port. */
  start(): Promise<void>;
  /** Kills it, cutting every connection. */
  kill(): Promise<void>;
  /** Its output since the last start. */
  output(): string;
  /** Kills it and removes its files. */
  close(): Promise<void>;
}

/** @param filesFor makes the contents of its files, by name */
export async function startProxy(
  { name, args }: ProxyProgram,
  filesFor: (place: ProxyPlace) => Readonly<Record<string, string>>,
): Promise<RunningProxy> {
  const folder = await mkdtemp(join(tmpdir(), `spillway-${name}-`));
  const port = await freePort();
  for (const [file, content] of Object.entries(filesFor({ folder, port })))
    await writeFile(join(folder, file), content);
  // Caddy writes below these.
  const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const { start, end, output } = createServerProgram({
    program: name,
    args: () => args,
    isReady: () => isReachable("127.0.0.1", port),
    options: { cwd: folder, env },
  });
  async function close(): Promise<void> {
    await end("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
  try {
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  return { folder, port, start, kill: () => end("SIGKILL"), output, close };
}
