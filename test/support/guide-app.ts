import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { docFiles, root } from "./doc-blocks.ts";
import { freePort } from "./ports.ts";
import { eventually } from "./reader.ts";

/** The application of a guide, in a folder of its own. */
export interface GuideApp {
  readonly folder: string;
  remove(): Promise<void>;
}

/**
 * Writes the files of a page to a folder below a package, so that the package's dependencies and this `spillway` are found.
 * What the page leaves to the reader is in the package's folder `scaffold`, if there is one.
 * @param packageFolder relative to the root
 * @param page relative to the root
 */
export async function makeGuideApp(packageFolder: string, page: string): Promise<GuideApp> {
  const home = join(root, packageFolder);
  await installSpillway(packageFolder);
  const folder = await mkdtemp(join(home, ".app-"));
  const scaffold = join(home, "scaffold");
  if (existsSync(scaffold)) await cp(scaffold, folder, { recursive: true });
  for (const { name, text } of docFiles(page)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return {
    folder,
    remove: () => rm(folder, { recursive: true }),
  };
}

/**
 * Copies what npm would unpack into a package. A link would not do: bundlers treat files outside of `node_modules` as the
 * application's.
 * @param packageFolder relative to the root
 */
export async function installSpillway(packageFolder: string): Promise<void> {
  const to = join(root, packageFolder, "node_modules/spillway");
  await rm(to, { recursive: true, force: true });
  const bundled = ["@photostructure/sqlite", "node-gyp-build"].map((name) => `node_modules/${name}`);
  for (const part of ["package.json", "dist", ...bundled])
    await cp(join(root, part), join(to, part), { recursive: true });
}

/** A server process of the application. */
export interface StartedServer {
  readonly url: string;
  output(): string;
  /** Sends SIGTERM, and resolves to the exit code. Idempotent. */
  stop(): Promise<number | null>;
}

/** Runs a script of the application with `HOST`, `PORT` and more variables, until it accepts connections. */
export async function startServer(
  app: GuideApp,
  command: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<StartedServer> {
  const port = await freePort();
  const child = spawn(process.execPath, command, {
    cwd: app.folder,
    env: { ...process.env, HOST: "127.0.0.1", PORT: String(port), ...variables },
  });
  const exit = once(child, "exit") as Promise<[number | null]>;
  let output = "";
  for (const channel of [child.stdout, child.stderr]) channel.on("data", (piece: Buffer) => (output += String(piece)));
  const url = `http://127.0.0.1:${port}`;
  await eventually(
    async () => {
      if (child.exitCode !== null) throw new Error(`${command.join(" ")} ended: ${output}`);
      return fetch(url).then(
        () => true,
        () => false,
      );
    },
    `${command.join(" ")} to listen`,
  );
  return {
    url,
    output: () => output,
    async stop() {
      child.kill("SIGTERM");
      return (await exit)[0];
    },
  };
}
