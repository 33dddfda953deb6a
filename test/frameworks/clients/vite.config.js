import { svelte } from "@sveltejs/vite-plugin-svelte";
import vue from "@vitejs/plugin-vue";
import solid from "vite-plugin-solid";
import { defineConfig } from "vite";

const plugins = { vue, svelte, solid: () => solid({ ssr: true }), tanstack: () => [] };

const extensions = { vue: ".js", svelte: ".js", solid: ".jsx", tanstack: ".jsx" };

/** `mode` is the framework. */
export default defineConfig(({ mode, isSsrBuild }) => ({
  plugins: [plugins[mode]()],
  logLevel: "warn",
  build: {
    outDir: `dist/${mode}/${isSsrBuild ? "server" : "client"}`,
    rolldownOptions: {
      input: `/entries/${mode}-${isSsrBuild ? "server" : "client"}${extensions[mode]}`,
      output: { entryFileNames: "entry.js" },
    },
  },
}));
