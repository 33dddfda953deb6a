import { resolve } from "node:path";
import { build } from "esbuild";

/** A page whose `client` is the module `spillway/client`, as a bundler makes it. */
export async function clientPage(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [resolve(import.meta.dirname, "../../src/client/index.ts")],
    bundle: true,
    write: false,
    format: "iife",
    globalName: "client",
    target: "es2022",
  });
  return `<!doctype html>
<title>client</title>
<script>${outputFiles[0]!.text.replaceAll("</script", "<\\/script")}</script>`;
}
