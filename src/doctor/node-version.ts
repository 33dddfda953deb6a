import { fail, ok, type Check } from "./check.ts";

/** The oldest release that is supported, as `engines` of package.json has it. */
const oldest: readonly [major: number, minor: number] = [20, 19];

/** @param version as `process.versions.node` has it */
export function checkNodeVersion(version: string): Check {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const enough = major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
  if (enough) return ok("node", `Node.js ${version}`);
  return fail("node", `Node.js ${version}`, `install Node.js ${oldest.join(".")} or later`);
}
