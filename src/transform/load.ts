import { readFileSync } from "node:fs";
import { SpillwayError } from "../errors.ts";
import type { Transform } from "./transform.ts";

interface LoadedModule {
  readonly source: string;
  readonly transform: Transform;
}

/** The modules of this process by their paths. */
const loaded = new Map<string, LoadedModule>();

/**
 * Loads a module in JavaScript or TypeScript whose default export is a transform. A module is evaluated again once its
 * file has changed. Modules that it imports are evaluated again with it, except those in `node_modules` and `.mjs`
 * files.
 * @param module an absolute path
 * @param field the option that names it
 * @throws {SpillwayError} `config-invalid`
 */
export async function loadTransform(module: string, field: string): Promise<Transform> {
  const source = read(module, field);
  const known = loaded.get(module);
  if (known?.source === source) return known.transform;
  const transform = await evaluate(source, module, field);
  if (typeof transform !== "function") {
    const got = transform === undefined ? "none" : `one of the type ${typeof transform}`;
    throw invalid(module, field, `expected a function as default export, got ${got}`);
  }
  loaded.set(module, { source, transform: transform as Transform });
  return transform as Transform;
}

/**
 * The transform of a module, as it was last loaded.
 * @throws {SpillwayError} `config-invalid` if it was never loaded.
 */
export function loadedTransform(module: string): Transform {
  const known = loaded.get(module);
  if (!known) throw invalid(module, "transform", "not loaded");
  return known.transform;
}

/** The module's text is evaluated rather than its file imported: Node imports a file only once. */
async function evaluate(source: string, filename: string, field: string): Promise<unknown> {
  try {
    const { createJiti } = await import("jiti");
    const jiti = createJiti(filename, { fsCache: false, moduleCache: false, interopDefault: false });
    const exported = await jiti.evalModule(source, { filename, async: true, forceTranspile: true });
    // A CommonJS module may export the function itself.
    return typeof exported === "function"
      ? exported
      : (exported as { readonly default?: unknown } | undefined)?.default;
  } catch (cause) {
    const [message = ""] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
    throw invalid(filename, field, message.trim(), cause);
  }
}

function read(module: string, field: string): string {
  try {
    return readFileSync(module, "utf8");
  } catch (cause) {
    throw invalid(module, field, `cannot be read (${(cause as NodeJS.ErrnoException).code})`, cause);
  }
}

function invalid(module: string, field: string, what: string, cause?: unknown): SpillwayError {
  return new SpillwayError("config-invalid", `${field}: ${module}: ${what}`, { field, cause });
}
