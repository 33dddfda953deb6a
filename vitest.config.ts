import { availableParallelism } from "node:os";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { defineConfig, type Plugin } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { missingEngines } from "./test/support/engines.ts";
import { patience, testPatience } from "./test/support/patience.ts";

/**
 * Worker threads run from `dist/`, because Node 20 cannot start one from TypeScript: `npm test` builds first. Everything
 * else is tested from `src/`.
 */
const builtWorkers: Plugin = {
  name: "built-workers",
  enforce: "pre",
  transform(code, id) {
    const file = relative(join(import.meta.dirname, "src"), id);
    if (file.startsWith("..") || !code.includes("new Worker(")) return undefined;
    return code.replaceAll(/new URL\("\.\/([\w-]+\.js)", import\.meta\.url\)/g, (_, worker: string) => {
      const built = pathToFileURL(join(import.meta.dirname, "dist", dirname(file), worker));
      return `new URL(${JSON.stringify(built.href)})`;
    });
  },
};

/** Files that take longest, of which Vitest knows nothing in a fresh clone: it would run small ones last, and wait for them alone. */
const slow =
  /contract\/|cluster\/|workers\/|brokers\/|engines\/|on-demand\/|sql\/cuts|kill\.|cli\/(?:doctor|drain)|proxy\/(?:relay|share|streams)|gateway\/(?:searches|tickets|authorize|expiry)|sqlite\/(?:losses|processes)|browser\/|real-|examples|runs\/nodes|integration\/docs\/|fuzz\//;

class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- It is not that of an array.
    const sorted = await super.sort(files);
    const isSlow = ({ moduleId }: TestSpecification): boolean => slow.test(moduleId);
    const order = [...sorted.filter(isSlow), ...sorted.filter((file) => !isSlow(file))];
    // A shared process ends where a file of its own follows, so these are together.
    const isAlone = ({ project }: TestSpecification): boolean => project.config.isolate;
    return [...order.filter(isAlone), ...order.filter((file) => !isAlone(file))];
  }
}

/**
 * Files that count the sockets, timers or bytes of their process, which must not be those of other files. The others share
 * a few processes, because loading the program takes longer than most files do.
 */
const alone = [
  "test/integration/gateway/{hostile,leftovers,many-streams}.test.ts",
  "test/integration/proxy/hostile.test.ts",
  "test/unit/workers/fork.test.ts",
  // Its limit of memory applies to the process.
  "test/integration/edges.test.ts",
  // It sets globals that tell a browser.
  "test/contract/clients.test.ts",
];

/** Tests over several engines leave these out. */
const missing = await missingEngines();
process.env["MISSING_ENGINES"] = missing.join();

export default defineConfig({
  plugins: [builtWorkers],
  test: {
    projects: [
      { extends: true, test: { name: "shared", isolate: false, include: ["test/**/*.test.ts"], exclude: alone } },
      { extends: true, test: { name: "alone", include: alone } },
    ],
    exclude: [
      "**/node_modules/**",
      ...missing.flatMap((engine) => [`test/**/${engine}/**`, `test/**/*-${engine}.test.ts`]),
    ],
    // Most of the tests' time is waiting, for processes and for reconnects.
    maxWorkers: Math.max(6, availableParallelism()),
    sequence: { sequencer: SlowFirst },
    testTimeout: testPatience,
    hookTimeout: testPatience,
    expect: { poll: { timeout: patience } },
    // A test that passes only at the second try is listed with its error. It is a defect.
    retry: process.env["CI"] === "true" ? 1 : 0,
    // Gateways without a logger of the test's own warn on stderr.
    onConsoleLog: (line) => !line.startsWith("spillway: "),
    reporters: ["default", "./test/support/summary-reporter.ts"],
  },
});
