import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { createGateway } from "../../../src/index.ts";
import { testPatience } from "../../support/patience.ts";
import { startAdapter } from "./adapter.ts";
import { unmapped } from "./unmapped.ts";

const packages = join(import.meta.dirname, "node_modules");

async function startServer(): Promise<string> {
  const config = {
    store: "memory:",
    access: { anonymous: ["subscribe", "publish"] },
    streams: { "ds-*": { onDemand: { rate: "1000000/1s" } } },
    // The largest append of the suite has 10 MB.
    limits: { body: "32MiB", bodies: "128MiB" },
  } as const;
  const gateway = await createGateway(config, { logger: false });
  onTestFinished(() => gateway.close());
  const adapter = await startAdapter(gateway);
  onTestFinished(() => adapter.close());
  return adapter.url;
}

/** The part of a Vitest report that is read here. */
interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** Runs the suite against a server; resolves to whether each test passed, by its full name. */
async function runSuite(url: string): Promise<ReadonlyMap<string, boolean>> {
  const folder = await mkdtemp(join(tmpdir(), "spillway-durable-streams-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const output = join(folder, "report.json");
  const runner = join(packages, "@durable-streams/server-conformance-tests/dist/test-runner.js");
  const args = ["run", runner, "--config", join(import.meta.dirname, "suite.config.js"), `--outputFile=${output}`];
  const env = { ...process.env, CONFORMANCE_TEST_URL: url };
  const vitest = join(packages, "vitest/vitest.mjs");
  // It fails, because not all tests pass.
  await promisify(execFile)(process.execPath, [vitest, ...args], { env, cwd: import.meta.dirname }).catch(() => {});
  const { testResults } = JSON.parse(await readFile(output, "utf8")) as Report;
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  return new Map(tests.map(({ fullName, status }) => [fullName, status === "passed"]));
}

const timeout = 3 * testPatience;

test("the conformance suite of Durable Streams passes, except for what does not map", { timeout }, async () => {
  const passed = await runSuite(await startServer());
  const failing = unmapped.flatMap((group) => group.failing);
  const vacuous = unmapped.flatMap((group) => group.vacuous);
  const known = new Set([...failing, ...vacuous]);
  const mapped = [...passed.keys()].filter((name) => !known.has(name));
  expect({
    mappedThatFail: mapped.filter((name) => !passed.get(name)),
    unmappedThatPass: failing.filter((name) => passed.get(name)),
    unmappedThatAreNotInTheSuite: [...known].filter((name) => !passed.has(name)),
  }).toEqual({ mappedThatFail: [], unmappedThatPass: [], unmappedThatAreNotInTheSuite: [] });
  // As in docs/comparison.md.
  expect([mapped.length, failing.length, vacuous.length]).toEqual([148, 156, 34]);
});
