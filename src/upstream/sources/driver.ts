import { driverMissing } from "../../errors.ts";

/**
 * Loads the client library of a source, which is an optional peer dependency.
 * @throws {SpillwayError} `driver-missing`, naming the package to install.
 */
export async function loadDriver<Driver>(source: string, packageName: string): Promise<Driver> {
  try {
    return (await import(packageName)) as Driver;
  } catch (cause) {
    throw driverMissing(`${source} source`, [packageName], cause);
  }
}
