import { readFileSync } from "node:fs";
import { SpillwayError } from "../errors.ts";
import type { Transform } from "./transform.ts";

interface LoadedModule {
  readonly source: string;
  readonly exports: ModuleExports;
}

/** The exports of a module by their names. What a CommonJS module exports as a whole is `default` as well. */
export type ModuleExports = Readonly<Record<string, unknown>>;

/** The modules of this process by their paths. */
const loaded = new Map<string, LoadedModule>();

/**
 * Loads a module in JavaScript or TypeScript. A module is evaluated again once its file has changed. Modules that it
 * imports are evaluated again with it, except those in `node_modules` and `.mjs` files.
 * @param module an absolute path
 * @param field the option that names it
 * @throws {SpillwayError} `config-invalid`
 */
export async function loadModule(module: string, field: string): Promise<ModuleExports> {
  const source = read(module, field);
  const known = loaded.get(module);
  if (known?.source === source) return known.exports;
  const exports = await evaluate(source, module, field);
  loaded.set(module, { source, exports });
  return exports;
}

/**
 * Loads a module whose default export is a transform, as {@link loadModule} does.
 * @throws {SpillwayError} `config-invalid`
 */
export async function loadTransform(module: string, field: string): Promise<Transform> {
  return toTransform(await loadModule(module, field), module, field);
}

function toTransform({ default: transform }: ModuleExports, module: string, field: string): Transform {
  if (typeof transform === "function") return transform as Transform;
  const got = transform === undefined ? "none" : `one of the type ${typeof transform}`;
  throw invalid(module, field, `expected a function as default export, got ${got}`);
}

/**
 * The transform of a module, as it was last loaded.
 * @throws {SpillwayError} `config-invalid` if it was never loaded.
 */
export function loadedTransform(module: string): Transform {
  const known = loaded.get(module);
  if (!known) throw invalid(module, "transform", "not loaded");
  return toTransform(known.exports, module, "transform");
}

/** The module's text is evaluated rather than its file imported: Node imports a file only once. */
async function evaluate(source: string, filename: string, field: string): Promise<ModuleExports> {
  try {
    const { createJiti } = await import("jiti");
    const jiti = createJiti(filename, { fsCache: false, moduleCache: false, interopDefault: false });
    const exported = await jiti.evalModule(source, { filename, async: true, forceTranspile: true });
    // A CommonJS module may export a single function.
    return typeof exported === "function" ? { default: exported } : { ...(exported as ModuleExports | undefined) };
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
