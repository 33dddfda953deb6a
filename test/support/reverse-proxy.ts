import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./ports.ts";
import { findProgram } from "./programs.ts";
import { eventually } from "./reader.ts";
import { selfSigned } from "./self-signed.ts";

/** What a reverse proxy is started with. */
export interface ReverseProxySettings {
  /** The port of 127.0.0.1 that it passes requests on to. */
  readonly upstream: number;
  /** How long it lets an upstream be silent, in seconds. */
  readonly idle: number;
  /** How many connections or requests of one address it takes at once, if it counts them. */
  readonly perAddress: number;
}

/** A real reverse proxy with the configuration of `deploy/`. */
export interface ReverseProxy {
  /** https, without a slash at its end. */
  readonly url: string;
  /** The authority that its certificate is checked by. */
  readonly ca: string;
  /** What it has printed, and written to its `access.log`. */
  logged(): string;
  /** Kills it and removes its files. */
  close(): Promise<void>;
}

/** Where a proxy finds what it needs. */
export interface ReverseProxyFiles {
  /** For its own files; removed in the end. */
  readonly folder: string;
  readonly port: number;
  /** Paths of PEM files: the certificate, its key, and one file with both. */
  readonly cert: string;
  readonly key: string;
  readonly both: string;
}

/** One kind of proxy. */
export interface ReverseProxyKind {
  readonly name: string;
  /** Its configuration in `deploy/`. */
  readonly file: string;
  /** What has to be another text here, each found in the file exactly once. */
  substitutions(settings: ReverseProxySettings, files: ReverseProxyFiles): ReadonlyArray<readonly [string, string]>;
  /** Files that it needs besides, by name. */
  others?(files: ReverseProxyFiles): Readonly<Record<string, string>>;
  /** Its arguments, to run in the foreground. */
  args(files: ReverseProxyFiles): readonly string[];
}

const deploy = join(import.meta.dirname, "../../deploy");

/** Starts it on a free port of 127.0.0.1, with a certificate of its own. */
export async function startReverseProxy(kind: ReverseProxyKind, settings: ReverseProxySettings): Promise<ReverseProxy> {
  const folder = await mkdtemp(join(tmpdir(), `spillway-${kind.name}-`));
  const { cert, key } = selfSigned();
  const path = (name: string): string => join(folder, name);
  const files = {
    folder,
    port: await freePort(),
    cert: path("cert.pem"),
    key: path("key.pem"),
    both: path("both.pem"),
  };
  const written = readFileSync(join(deploy, kind.file), "utf8");
  const contents = {
    "cert.pem": cert,
    "key.pem": key,
    "both.pem": cert + key,
    [kind.file]: substituteEach(written, kind.substitutions(settings, files)),
    ...kind.others?.(files),
  };
  for (const [name, content] of Object.entries(contents)) await writeFile(path(name), content);
  const child = spawn(findProgram(kind.name)!, [...kind.args(files)], {
    cwd: folder,
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  let output = "";
  for (const channel of [child.stdout, child.stderr])
    channel.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const close = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  await eventually(() => child.exitCode !== null || listens(files.port), `${kind.name} to listen`);
  if (child.exitCode !== null) {
    await close();
    throw new Error(`${kind.name} ended: ${output}`);
  }
  return {
    url: `https://localhost:${files.port}`,
    ca: cert,
    logged: () => output + (existsSync(path("access.log")) ? readFileSync(path("access.log"), "utf8") : ""),
    close,
  };
}

/** Fails where the file in `deploy/` and what is known of it here have gone apart. */
function substituteEach(text: string, substitutions: ReadonlyArray<readonly [string, string]>): string {
  return substitutions.reduce((result, [from, to]) => {
    const parts = result.split(from);
    if (parts.length !== 2) throw new Error(`"${from}" is in the configuration ${parts.length - 1} times, not once`);
    return parts.join(to);
  }, text);
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
