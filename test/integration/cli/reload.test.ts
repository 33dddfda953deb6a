import { writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "../../support/reader.ts";
import { startServe, withDirectory, type Cli } from "./cli.ts";

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly err?: { readonly code: string; readonly message: string };
}

const linesOf = ({ stdout }: Cli): Line[] =>
  stdout()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Line);

/** Sends SIGHUP and resolves to the log line with its result. */
async function hangUp(cli: Cli): Promise<Line> {
  const results = (): Line[] => linesOf(cli).filter(({ msg }) => msg.startsWith("configuration "));
  const before = results().length;
  cli.child.kill("SIGHUP");
  await cli.until(() => results().length > before);
  return results().at(-1)!;
}

async function streamsOf(url: string): Promise<string[]> {
  const { streams } = (await (await fetch(`${url}/streams`)).json()) as { streams: { name: string }[] };
  return streams.map(({ name }) => name);
}

async function stop({ child, result }: Cli): Promise<number | null> {
  child.kill("SIGTERM");
  return (await result).code;
}

test("SIGHUP reads the file, its variables and .env again", () =>
  withDirectory(async (cwd) => {
    const yaml = (streams: string): Promise<void> =>
      writeFile(join(cwd, "spillway.yaml"), `store: "memory:"\n${streams}`);
    const dotEnv = (rights: string): Promise<void> => writeFile(join(cwd, ".env"), `RIGHTS=${rights}\nHEARTBEAT=1s\n`);
    const streams = "streams: { a: { heartbeat: $HB } }\naccess: { anonymous: [subscribe, '$R'] }\n"
      .replace("$HB", '"${HEARTBEAT}"')
      .replace("$R", "${RIGHTS}");
    await yaml(streams);
    await dotEnv("publish");
    // The real environment wins, at a reload as at the start.
    const cli = await startServe([], { cwd, env: { HEARTBEAT: "20ms" } });
    expect((await fetch(`${cli.url}/status`)).status).toBe(403);
    await dotEnv("admin");
    expect(await hangUp(cli)).toMatchObject({ level: "info", msg: "configuration applied" });
    expect((await fetch(`${cli.url}/status`)).status).toBe(200);
    await yaml(streams.replace("streams: {", "streams: { b: {},"));
    await hangUp(cli);
    expect((await streamsOf(cli.url)).toSorted()).toEqual(["a", "b"]);
    const response = await fetch(`${cli.url}/streams/a`);
    const reader = response.body!.getReader();
    let text = "";
    while (!text.includes("\n:\n")) text += Buffer.from((await reader.read()).value!).toString();
    await reader.cancel();
    expect(await stop(cli)).toBe(0);
    expect(cli.stderr()).toBe("");
  }));

test("SIGHUP keeps the flags, which still take precedence over the file", () =>
  withDirectory(async (cwd) => {
    const file = join(cwd, "spillway.json");
    await writeFile(file, JSON.stringify({ streams: { a: {} } }));
    const cli = await startServe(["-c", file, "--store", "memory:", "--anonymous", "subscribe,admin"], { cwd });
    await writeFile(
      file,
      JSON.stringify({ streams: { a: {}, b: {} }, access: { anonymous: [] }, listen: 1, store: "x:" }),
    );
    expect(await hangUp(cli)).toMatchObject({ msg: "configuration applied" });
    expect(await streamsOf(cli.url)).toEqual(["a", "b"]);
    expect((await fetch(`${cli.url}/status`)).status).toBe(200);
    expect(await stop(cli)).toBe(0);
  }));

test("a broken or missing file is refused in one line with every error and no secret, and the old configuration stays", () =>
  withDirectory(async (cwd) => {
    const file = join(cwd, "spillway.yaml");
    const good = 'store: "memory:"\nstreams: { a: {} }\n';
    await writeFile(file, good);
    const cli = await startServe(["-c", "spillway.yaml"], { cwd, env: { SECRET: "hunter2" } });
    await writeFile(file, 'drian: 1s\nstreams: { a: { upstream: { url: "ftp://${SECRET}" }, idz: x } }\n');
    const refused = await hangUp(cli);
    expect(refused).toMatchObject({ level: "error", err: { code: "config-invalid" } });
    for (const place of ["spillway.yaml:1:1: drian", "streams.a.upstream.url", "streams.a.idz"]) {
      expect(refused.err!.message).toContain(place);
    }
    expect(cli.stdout()).not.toContain("hunter2");
    await writeFile(file, "streams: { a: [");
    expect(await hangUp(cli)).toMatchObject({ level: "error", err: { code: "config-invalid" } });
    expect(await streamsOf(cli.url)).toEqual(["a"]);
    await writeFile(file, good.replace("a: {}", "a: {}, b: {}"));
    expect(await hangUp(cli)).toMatchObject({ level: "info" });
    expect(await streamsOf(cli.url)).toEqual(["a", "b"]);
    expect(await stop(cli)).toBe(0);
  }));

test("a certificate created for this process is kept", () =>
  withDirectory(async (cwd) => {
    const file = join(cwd, "spillway.json");
    await writeFile(file, JSON.stringify({ store: "memory:", streams: { a: {} } }));
    const cli = await startServe(["-c", file, "--dev-tls"], { cwd });
    await writeFile(file, JSON.stringify({ store: "memory:", streams: { a: {}, b: {} } }));
    expect(await hangUp(cli)).toMatchObject({ msg: "configuration applied" });
    const { port } = new URL(cli.url);
    const status = await new Promise((resolve, reject) => {
      const asked = request({ host: "127.0.0.1", port, path: "/streams/b", method: "HEAD", rejectUnauthorized: false });
      asked
        .on("response", (response) => resolve(response.statusCode))
        .on("error", reject)
        .end();
    });
    expect(status).toBe(200);
    expect(await stop(cli)).toBe(0);
  }));

test("after many SIGHUPs at once, also during startup, the latest configuration is served", () =>
  withDirectory(async (cwd) => {
    const file = join(cwd, "spillway.json");
    const write = (streams: object): Promise<void> =>
      writeFile(file, JSON.stringify({ store: "sqlite:./a.db", streams, workers: 2 }));
    await write({ a: {} });
    const cli = await startServe(["-c", file], { cwd });
    for (let n = 0; n < 10; n++) {
      await write({ a: {}, [`s${n}`]: {} });
      cli.child.kill("SIGHUP");
    }
    // Signals of one kind may become one.
    await eventually(async () => (await streamsOf(cli.url)).includes("s9"), "the last one");
    await hangUp(cli);
    expect(await streamsOf(cli.url)).toEqual(["a", "s9"]);
    expect(await stop(cli)).toBe(0);
  }));

test("SIGHUP while draining changes nothing", () =>
  withDirectory(async (cwd) => {
    const file = join(cwd, "spillway.json");
    await writeFile(file, JSON.stringify({ store: "memory:", streams: { a: {} } }));
    const cli = await startServe(["-c", file], { cwd });
    await writeFile(file, JSON.stringify({ store: "memory:", streams: { a: {}, b: {} } }));
    // No slow subscriber is needed: the signals arrive in the same turn.
    cli.child.kill("SIGTERM");
    cli.child.kill("SIGHUP");
    expect((await cli.result).code).toBe(0);
    expect(cli.stderr()).toBe("");
  }));
