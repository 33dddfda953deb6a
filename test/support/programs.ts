import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Where a program of this name is found, as a shell would; `undefined` if it isn't installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/bin"];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Says aloud that tests are skipped for want of a program. `CI=true` counts each skip as a failure. */
export function warnMissing(program: string, debianPackages: string): void {
  console.warn(`\nSKIPPED: tests against ${program}. Install it: apt-get install ${debianPackages}\n`);
}
