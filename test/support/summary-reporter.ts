import type { Reporter, TestModule } from "vitest/node";

/** Ends the run with one plain line, `N passed, N failed`, that any CI can read. A skip under `CI=true` counts as a failure. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandledErrors.length;
    let skipped = 0;
    for (const module of modules) {
      if (module.state() === "failed" && module.errors().length > 0) failed++;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") passed++;
        else if (state === "skipped") skipped++;
        else failed++;
      }
    }
    if (process.env["CI"] === "true" && skipped > 0) {
      console.error(`${skipped} skipped tests are failures in CI`);
      failed += skipped;
      process.exitCode = 1;
    }
    console.log(`\n${passed} passed, ${failed} failed`);
  }
}
