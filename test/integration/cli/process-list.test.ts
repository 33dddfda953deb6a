import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { docBlocks } from "../../support/doc-blocks.ts";
import { portOf } from "../../support/ports.ts";
import { startCli, withDirectory, type Cli } from "./cli.ts";

const secret = "hunter2-a-key";

/** A source that answers every request with a stream; resolves to its address. */
async function startSource(): Promise<string> {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${portOf(server)}`;
}

/** The arguments that other users can see. */
function argumentsOf({ child }: Cli): Promise<string> {
  return readFile(`/proc/${child.pid}/cmdline`, "utf8");
}

/** The arguments of the first `spillway` command of a page that takes an upstream. */
function documented(page: string): string[] {
  const blocks = docBlocks("sh").filter(({ at }) => at.startsWith(page));
  const command = blocks.flatMap(({ text }) => text.split("\n")).find((line) => line.includes("--upstream"))!;
  const words = Array.from(command.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, plain]) => quoted ?? plain!);
  return words.slice(words.indexOf("spillway") + 1);
}

test.for(["README.md", "docs/guides/getting-started.md"])(
  "the first command of %s has no key in its arguments, and its source is connected",
  (page) =>
    withDirectory(async (cwd) => {
      const args = documented(page);
      expect(args.join(" ")).not.toMatch(/key=/);
      await writeFile(join(cwd, ".env"), `SOURCE_URL=${await startSource()}/events?api-key=${secret}\n`);
      const cli = startCli([...args, "--port", "0"], { cwd });
      await cli.until(({ stdout }) => stdout().includes('"upstream open"'));
      expect(await argumentsOf(cli)).not.toContain(secret);
      cli.child.kill("SIGTERM");
      const { code, stdout, stderr } = await cli.result;
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).not.toContain(secret);
    }),
);

test("a key in an argument is removed from the process list, and serve explains how to pass it", () =>
  withDirectory(async (cwd) => {
    const source = await startSource();
    const serve = startCli(["serve", "--port", "0", "--upstream", `${source}/events?api-key=${secret}`], { cwd });
    await serve.until(({ stdout }) => stdout().includes('"upstream open"'));
    expect(await argumentsOf(serve)).toMatch(/^spillway serve\0*$/);
    expect(serve.stdout()).toContain("set a variable in .env and pass '${NAME}'");
    serve.child.kill("SIGTERM");
    await serve.result;
    const tail = startCli(["tail", source, "-H", `authorization: Bearer ${secret}`], { cwd });
    await tail.until(({ stderr }) => stderr().includes("open"));
    expect(await argumentsOf(tail)).toMatch(/^spillway tail\0*$/);
    tail.child.kill("SIGTERM");
    await tail.result;
  }));

test("a header takes its value from a variable, and a missing variable is reported", () =>
  withDirectory(async (cwd) => {
    const seen: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(204).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const args = ["tail", `http://127.0.0.1:${portOf(server)}/`, "-H", "authorization: Bearer ${TOKEN}"];
    expect((await startCli(args, { cwd, env: { TOKEN: secret } }).result).code).toBe(0);
    expect(seen).toEqual([`Bearer ${secret}`]);
    const { code, stderr } = await startCli(args, { cwd }).result;
    expect([code, stderr]).toEqual([1, "spillway: request-invalid: the environment variable TOKEN is not set\n"]);
  }));
