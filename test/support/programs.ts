import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The path of a program, found like a shell does; `undefined` if it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/bin"];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Prints that tests are skipped because a program is missing. `CI=true` counts each skip as a failure. */
export function warnMissing(program: string, debianPackages: string): void {
  console.warn(`\nSKIPPED: tests against ${program}. Install it: apt-get install ${debianPackages}\n`);
}
