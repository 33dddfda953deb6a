import type { Reporter, TestModule } from "vitest/node";

/**
 * Ends the run with the line `N passed, N failed`, which any CI can parse. Under `CI=true`, a skipped test counts as failed,
 * and a test that passed only at a second try is listed.
 */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandledErrors.length;
    let skipped = 0;
    const unsteady: string[] = [];
    for (const module of modules) {
      if (module.state() === "failed" && module.errors().length > 0) failed++;
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        if (test.diagnostic()?.flaky)
          unsteady.push(`${module.relativeModuleId}: ${test.fullName}: ${errors?.[0]?.stack}`);
        if (state === "passed") passed++;
        else if (state === "skipped") skipped++;
        else failed++;
      }
    }
    if (process.env["CI"] === "true" && skipped > 0) {
      console.error(`${skipped} skipped tests are failures in CI`);
      failed += skipped;
    }
    if (failed > 0) process.exitCode = 1;
    for (const test of unsteady) console.error(`PASSED ONLY ON RETRY, needs a fix: ${test}`);
    console.log(`\n${passed} passed, ${failed} failed`);
  }
}
