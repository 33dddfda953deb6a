import { realpathSync, statSync } from "node:fs";
import type { z } from "zod";
import { value } from "./fields.ts";

/** A folder that exists; it becomes its real path. */
export const folder: z.ZodType<string, string> = value<string, string>("a folder that exists", (input) =>
  typeof input === "string" ? realFolder(input) : undefined,
);

/** The real path of a folder, relative to the working directory; `undefined` where there is none that can be read. */
export function realFolder(path: string): string | undefined {
  try {
    return statSync(path).isDirectory() ? realpathSync(path) : undefined;
  } catch {
    return undefined;
  }
}
