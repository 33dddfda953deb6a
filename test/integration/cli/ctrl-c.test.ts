import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../../support/reader.ts";
import { withDirectory } from "./cli.ts";

const root = resolve(import.meta.dirname, "../../..");

interface Terminal {
  readonly pid: number;
  output(): string;
  /** Waits until this is printed. */
  printed(text: string): Promise<void>;
  /** Sends SIGINT to every process of the group, as a terminal does; resolves to the exit code of the command. */
  pressCtrlC(): Promise<number | null>;
}

/** Runs a command in a separate process group, with an empty npm cache. */
function startInTerminal(cwd: string, cache: string, command: string, ...args: readonly string[]): Terminal {
  const env = {
    ...process.env,
    PORT: "0",
    SPILLWAY_PORT: "0",
    TMPDIR: join(cwd, "tmp"),
    npm_config_cache: cache,
    npm_config_offline: "true",
  };
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const closed = once(child, "close") as Promise<[number | null]>;
  const signal = (name: NodeJS.Signals): boolean => process.kill(-child.pid!, name);
  onTestFinished(() => {
    try {
      signal("SIGKILL");
    } catch {
      // No process of the group is left.
    }
  });
  let output = "";
  for (const channel of [child.stdout, child.stderr]) channel.on("data", (piece: Buffer) => (output += String(piece)));
  return {
    pid: child.pid!,
    output: () => output,
    printed: (text) =>
      eventually(() => {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended: ${output}`);
        return output.includes(text);
      }, `"${text}" of ${command}`),
    async pressCtrlC() {
      signal("SIGINT");
      return (await closed)[0];
    },
  };
}

test("a gateway that npx has started stops properly when npx gets SIGTERM, which it does not pass on", () =>
  withDirectory(async (folder) => {
    const flags = ["--stream", "chat", "--store", `sqlite:${folder}/log.db`];
    const terminal = startInTerminal(root, join(folder, "cache"), "npx", "spillway", "serve", ...flags);
    await terminal.printed('"listening"');
    process.kill(terminal.pid, "SIGTERM");
    await eventually(() => terminal.output().includes('"stopped"'), "the end of the gateway");
  }));

test("npx spillway in a clone builds nothing, and exits properly on Ctrl-C", () =>
  withDirectory(async (folder) => {
    const main = join(root, "dist/cli/main.js");
    const built = (await stat(main)).mtimeMs;
    const flags = ["--stream", "chat", "--store", `sqlite:${folder}/log.db`];
    const terminal = startInTerminal(root, join(folder, "cache"), "npx", "spillway", "serve", ...flags);
    await terminal.printed('"listening"');
    // npx itself ends by the signal, as its shell does.
    await terminal.pressCtrlC();
    expect(terminal.output()).toContain('"stopped"');
    expect((await stat(main)).mtimeMs).toBe(built);
    expect(await leftOpen(folder)).toEqual([]);
  }));

test("npm start exits with 0 on Ctrl-C, and leaves no file", () =>
  withDirectory(async (folder) => {
    const { scripts } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
      scripts: { start: string };
    };
    const start = scripts.start.replace("examples/", `${root}/examples/`);
    await writeFile(join(folder, "package.json"), JSON.stringify({ scripts: { start } }));
    const temporary = join(folder, "tmp");
    await mkdir(temporary);
    const terminal = startInTerminal(folder, join(folder, "cache"), "npm", "start");
    await terminal.printed("Ctrl-C stops it");
    // Whether the terminal's signal and npm's are two for the program is chance. Its source is held, so that it is still stopping at the next.
    const feed = await childOf(await childOf(terminal.pid));
    process.kill(feed, "SIGSTOP");
    const ended = terminal.pressCtrlC();
    await terminal.printed("Stopping");
    void terminal.pressCtrlC();
    process.kill(feed, "SIGCONT");
    expect(await ended, terminal.output()).toBe(0);
    expect(await readdir(temporary)).toEqual([]);
  }));

/** The files in the folder that SQLite only needs while a log is open. */
async function leftOpen(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((file) => /-(wal|shm)$/.test(file));
}

async function childOf(pid: number): Promise<number> {
  return Number.parseInt(await readFile(`/proc/${pid}/task/${pid}/children`, "utf8"), 10);
}
