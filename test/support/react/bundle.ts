import { join } from "node:path";
import { build } from "esbuild";

/** The versions of React that the hooks are tested with. */
export const reactVersions = [18, 19] as const;

/** Bundles a file of this folder with a version of React. */
export async function bundle(file: "page.ts" | "server.ts", react: 18 | 19): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, file)],
    inject: file === "page.ts" ? [join(import.meta.dirname, "refresh.ts")] : [],
    bundle: true,
    write: false,
    format: file === "page.ts" ? "iife" : "cjs",
    platform: file === "page.ts" ? "browser" : "node",
    alias: react === 18 ? { "react": "react18", "react-dom": "react-dom18" } : {},
    define: { "process.env.NODE_ENV": '"development"' },
    logLevel: "error",
  });
  return outputFiles[0]!.text;
}
