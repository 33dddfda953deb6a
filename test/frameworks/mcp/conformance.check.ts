import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { createGateway } from "../../../src/index.ts";
import { installSpillway } from "../../support/guide-app.ts";
import { startProgram } from "../../support/process.ts";

const packages = join(import.meta.dirname, "node_modules");

/** The suite needs Node 22. */
function findNode(): string {
  const installed = join(packages, `node-${process.platform}-${process.arch}/bin/node`);
  return existsSync(installed) ? installed : process.execPath;
}

async function startServer(): Promise<number> {
  await installSpillway("test/frameworks/mcp");
  const program = startProgram("test/frameworks/mcp/conformance-server.js", []);
  onTestFinished(async () => void (await program.kill("SIGKILL")));
  await program.printed("port ");
  return Number(/port (\d+)/.exec(program.output())![1]);
}

test("the MCP conformance suite passes through a route", async () => {
  const port = await startServer();
  const routes = { "/mcp": { upstream: { url: `http://127.0.0.1:${port}` } } };
  const gateway = await createGateway({ listen: "127.0.0.1:0", store: "memory:", drain: "0s", routes });
  onTestFinished(() => gateway.close());
  const { port: front } = await gateway.listen();
  const suite = join(packages, "@modelcontextprotocol/conformance/dist/index.js");
  const args = [suite, "server", "--suite", "all", "--url", `http://127.0.0.1:${front}/mcp`];
  const { stdout } = await promisify(execFile)(findNode(), args).catch(
    (error: unknown) => error as { readonly stdout: string },
  );
  const summary = stdout.slice(stdout.indexOf("=== SUMMARY ==="));
  expect(summary).toMatch(/\nTotal: \d{2,} passed, 0 failed\n/);
  expect(summary).not.toContain("✗");
});
