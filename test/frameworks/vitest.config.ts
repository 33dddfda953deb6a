import { defineConfig } from "vitest/config";
import { patience, testPatience } from "../support/patience.ts";

/**
 * Checks that take too long for `npm test`: of whole pages in Chromium, and those that need packages of their own, which are installed
 * in their folders: `npm ci --prefix test/frameworks/clients` or `site`.
 */
export default defineConfig({
  test: {
    include: ["test/{browser,frameworks,site}/**/*.check.ts"],
    // The files of a package install this `spillway` into it.
    fileParallelism: false,
    testTimeout: testPatience,
    hookTimeout: testPatience,
    expect: { poll: { timeout: patience } },
    retry: process.env["CI"] === "true" ? 1 : 0,
    reporters: ["default", "./test/support/summary-reporter.ts"],
  },
});
