import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, test } from "vitest";
import { checkBlock, docBlocks, root } from "../../support/doc-blocks.ts";

const blocks = docBlocks("js", "jsx", "ts", "tsx");
const folder = mkdtempSync(join(tmpdir(), "spillway-docs-"));
/** The compiler's errors by block number. */
const faults = new Map<number, string[]>();

/** Without null checks, because the blocks are short. The types of the library are the published ones. */
const compilerOptions = {
  target: "es2023",
  module: "nodenext",
  lib: ["es2024", "dom", "dom.iterable", "dom.asynciterable"],
  types: ["node"],
  typeRoots: [join(root, "node_modules/@types")],
  jsx: "preserve",
  jsxImportSource: "react",
  moduleDetection: "force",
  checkJs: true,
  strict: true,
  strictNullChecks: false,
  noImplicitAny: false,
  useUnknownInCatchVariables: false,
  skipLibCheck: true,
  noEmit: true,
  paths: {
    "react/jsx-runtime": [join(root, "node_modules/@types/react/jsx-runtime.d.ts")],
    "zod": [join(root, "node_modules/zod/index.d.ts")],
    "valibot": [join(root, "node_modules/valibot/dist/index.d.mts")],
    "better-sse": [join(root, "node_modules/better-sse/build/index.d.mts")],
    "vitest": [join(root, "node_modules/vitest/dist/index.d.ts")],
    "spillway": [join(root, "dist/index.d.ts")],
    "spillway/*": ["", "log/", "adapters/"].map((parent) => join(root, `dist/${parent}*/index.d.ts`)),
    "express": [join(root, "node_modules/@types/express/index.d.ts")],
    "fastify": [join(root, "node_modules/fastify/fastify.d.ts")],
    "hono": [join(root, "node_modules/hono/dist/types/index.d.ts")],
  },
};

/** Modules of others that the blocks import. Their types are not here, or do not fit to those of Node.js, as programs without types do not notice. */
const foreign = [
  "@ai-sdk/react",
  "ai",
  "standardwebhooks",
  "@hono/node-server",
  "@opentelemetry/sdk-node",
  "@opentelemetry/exporter-trace-otlp-http",
];

/** Names that the blocks use without declaring them: functions and values of the reader, and those of earlier blocks. */
const globals = `
import type { Server } from "node:http";
import type { Express } from "express";
import type { Gateway, createGateway as create } from "spillway";
import type { Subscription, subscribe as subscribeTo } from "spillway/client";
import type { createEventStore as createStore } from "spillway/mcp";

declare global {
  const app: Express;
  const gateway: Gateway;
  const createGateway: typeof create;
  const createEventStore: typeof createStore;
  const StreamableHTTPServerTransport: new (options: object) => unknown;
  const session: string;
  const server: Server;
  const subscribe: typeof subscribeTo;
  const subscription: Subscription;
  const source: EventSource;
  const token: string;
  let lastId: string;
  function show(...values: readonly unknown[]): void;
  function showState(state: unknown): void;
  function addTrade(trade: unknown): void;
  function setQuote(quote: unknown): void;
  function reload(): void;
  function getToken(): Promise<string>;
  function freshToken(): Promise<string>;
  function findUser(cookie: string | undefined): Promise<{ id: string } | undefined>;
}
`;

beforeAll(async () => {
  for (const [index, { language, text }] of blocks.entries()) writeFileSync(join(folder, `${index}.${language}`), text);
  // Of examples/own-store, whose page imports it.
  const store = readFileSync(join(root, "examples/own-store/array-store.js"), "utf8");
  writeFileSync(join(folder, "array-store.js"), `// @ts-nocheck\n${store}`);
  writeFileSync(join(folder, "foreign.d.ts"), foreign.map((name) => `declare module "${name}";\n`).join(""));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "globals.d.ts"), globals);
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*"] }));
  const tsc = join(root, "node_modules/.bin/tsc");
  const { stdout } = await promisify(execFile)(tsc, ["-p", folder, "--pretty", "false"], { cwd: folder }).catch(
    (error: unknown) => error as { stdout: string },
  );
  for (const [, index, fault = ""] of stdout.matchAll(/^(\d+)\.\w+(\(.*)$/gm)) {
    faults.set(Number(index), [...(faults.get(Number(index)) ?? []), fault]);
  }
  const others = stdout.split("\n").filter((line) => /^(?!\d+\.)\S.*error TS/.test(line));
  if (others.length > 0) throw new Error(others.join("\n"));
});

afterAll(() => rmSync(folder, { recursive: true }));

test.for(blocks)("$at compiles", (block) =>
  checkBlock(block, () => {
    const found = faults.get(blocks.indexOf(block));
    if (found)
      throw new Error([...found, "(a name of the reader's own is declared in `globals` of this test)"].join("\n"));
  }),
);
