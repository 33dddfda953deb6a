import { readFileSync } from "node:fs";
import type { z } from "zod";
import { value } from "./fields.ts";

const expected = "PEM text or the path of a PEM file that can be read";

/** PEM text, given as such or by the path of a file, which is read. */
export const pem: z.ZodType<string, string> = value<string, string>(expected, (input) =>
  typeof input === "string" ? readPem(input) : undefined,
);

/** Like {@link pem}, but a path stays one, for whoever reads it again later. */
export const pemPath: z.ZodType<string, string> = value<string, string>(expected, (input) =>
  typeof input === "string" && readPem(input) !== undefined ? input : undefined,
);

function readPem(input: string): string | undefined {
  const content = input.includes("-----BEGIN") ? input : readText(input);
  return content?.includes("-----BEGIN") ? content : undefined;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
