/** Builds the dashboard's page into `dist/dashboard/assets`, from where the gateway serves it. */
import { cp, mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const source = (name) => fileURLToPath(new URL(name, import.meta.url));
const target = source("../dist/dashboard/assets");

await mkdir(target, { recursive: true });
await build({
  entryPoints: { app: source("main.tsx") },
  outdir: target,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
});
await build({
  entryPoints: { app: source("app.css") },
  outdir: target,
  minify: true,
  target: "es2022",
  logLevel: "warning",
});
await cp(source("index.html"), `${target}/index.html`);
