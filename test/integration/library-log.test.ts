import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** Runs a gateway whose source cannot be reached until that has failed once; resolves to what it printed. */
async function runWith(runtime: string): Promise<{ stdout: string; stderr: string }> {
  const program = `
    import { createGateway } from "spillway";
    const url = "http://me:hunter2@127.0.0.1:1/events?key=hunter2";
    const access = { anonymous: ["subscribe", "admin"] };
    const gateway = await createGateway({ store: "memory:", streams: { s: { upstream: { url } } }, access }, ${runtime});
    const errors = async () => (await (await gateway.fetch(new Request("http://a/status"))).json()).streams.s.upstream.errors;
    while ((await errors()) === 0) await new Promise((done) => setTimeout(done, 10));
    await gateway.close();`;
  const args = ["--input-type=module", "--eval", program];
  return promisify(execFile)(process.execPath, args, { cwd: resolve(import.meta.dirname, "../..") });
}

test("without a logger, warnings go to stderr as plain lines without secrets, and false silences them", async () => {
  const plain = await runWith("{}");
  expect(plain.stdout).toBe("");
  expect(plain.stderr).toMatch(
    /^spillway: warn: cannot connect to the upstream \(ECONNREFUSED\); check the port of the URL: nothing listens there; next attempt in \d\.\ds stream="s" target="target-1" attempt=1 .*\n$/,
  );
  expect(plain.stderr).not.toContain("hunter2");
  expect(await runWith("{ logger: false }")).toMatchObject({ stdout: "", stderr: "" });
});
