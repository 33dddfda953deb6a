import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const leaves = ["sse", "util", "errors.ts"];

const adapters = ["adapters", "adapters/fetch", "adapters/node", "adapters/raw"];

/** The adapters of frameworks, which programs import. */
const frameworkAdapters = ["adapters/express", "adapters/fastify", "adapters/hono"];

const workersLayers = [
  "access",
  "gateway",
  "http",
  "hub",
  "limits",
  "log",
  "metrics",
  "proxy",
  "runs",
  "upstream",
  "util",
  "errors.ts",
];

/**
 * What each folder of `src` may import beside itself; `log/*` is any store's folder, `log/engine` what all stores do alike. What is not named is forbidden.
 * The same table stands as lint rules in `.oxlintrc.json`: these tests hold the two together.
 */
const layers: Readonly<Record<string, readonly string[]>> = {
  "errors.ts": [],
  "util": [],
  "sse": [],
  "events": ["util"],
  "client": ["sse", "util", "events"],
  "stream-store": ["client", "events"],
  "react": ["client", "stream-store", "events"],
  "log": leaves,
  "log/engine": ["log", ...leaves],
  "log/*": ["log", "log/engine", ...leaves],
  "telemetry": [],
  "http1": [],
  "upstream": ["telemetry", ...leaves],
  "upstream/sources": ["upstream", ...leaves],
  "access": ["util", "errors.ts"],
  "limits": ["util", "errors.ts"],
  "webhooks": ["util", "errors.ts"],
  "hub": ["events", "log", ...leaves],
  "http": [
    "access",
    "doctor",
    "events",
    "filter",
    "hub",
    "limits",
    "log",
    "telemetry",
    "upstream",
    "webhooks",
    ...leaves,
  ],
  "proxy": ["access", "http", "http1", "hub", "limits", "log", "telemetry", "transform", "upstream", ...leaves],
  "runs": ["access", "http", "hub", "limits", "log", "proxy", ...leaves],
  "deliveries": ["events", "filter", "http", "hub", "log", "upstream", ...leaves],
  "dashboard": ["access", "http", "util", "errors.ts"],
  "metrics": ["http", "hub", "limits", "log", "upstream", "util", "errors.ts"],
  "transform": leaves,
  "filter": ["util", "errors.ts"],
  "adapters": ["http", ...leaves],
  "adapters/fetch": ["http", "hub", "adapters", ...leaves],
  "adapters/node": ["http", "hub", "adapters", "adapters/raw", ...leaves],
  "adapters/raw": ["http", "http1", "hub", "adapters", ...leaves],
  ...Object.fromEntries(frameworkAdapters.map((name) => [name, ["adapters", "gateway", "http", "errors.ts"]])),
  "adapters/nest": ["adapters", "config", "gateway", "http", "errors.ts"],
  "adapters/next": ["adapters", "config", "gateway", "http", "errors.ts"],
  "gateway": [
    "access",
    ...adapters,
    "dashboard",
    "deliveries",
    "doctor",
    "events",
    "filter",
    "http",
    "hub",
    "limits",
    "log",
    "metrics",
    "proxy",
    "runs",
    "telemetry",
    "transform",
    "upstream",
    "upstream/sources",
    "webhooks",
    ...leaves,
  ],
  "workers/ipc": workersLayers,
  "workers/primary": ["workers/ipc", ...workersLayers],
  "workers/worker": ["workers/ipc", ...workersLayers],
  "config": [
    "access",
    "deliveries",
    "doctor",
    "events",
    "gateway",
    "limits",
    "log",
    "log/engine",
    "log/*",
    "proxy",
    "runs",
    "upstream",
    "webhooks",
    ...leaves,
  ],
  "doctor": ["upstream", "upstream/sources", ...leaves],
  "mcp": ["gateway", "errors.ts"],
  "testing": ["log", "util", "errors.ts"],
  "index.ts": ["access", ...adapters, "config", "gateway", "hub", "log", "transform", "util", "errors.ts"],
  "cli": [
    "access",
    ...adapters,
    ...frameworkAdapters,
    "adapters/nest",
    "adapters/next",
    "client",
    "config",
    "dashboard",
    "deliveries",
    "doctor",
    "events",
    "filter",
    "gateway",
    "http",
    "http1",
    "hub",
    "index.ts",
    "limits",
    "log",
    "log/engine",
    "log/*",
    "mcp",
    "metrics",
    "proxy",
    "react",
    "runs",
    "stream-store",
    "telemetry",
    "testing",
    "transform",
    "upstream",
    "upstream/sources",
    "webhooks",
    "workers/ipc",
    "workers/primary",
    "workers/worker",
    ...leaves,
  ],
};

/** The files that may import each npm package. */
const packages: Readonly<Record<string, readonly string[]>> = {
  "@fastify/send": ["http"],
  "@marcbachmann/cel-js": ["filter"],
  "@nats-io/jetstream": ["log/*"],
  "@nats-io/transport-node": ["log/*"],
  "@nestjs/common": ["adapters/nest"],
  "@nestjs/core": ["adapters/nest"],
  "@opentelemetry/api": ["telemetry"],
  "@photostructure/sqlite": ["log/*"],
  "@redis/client": ["log/*", "upstream/sources"],
  "amqplib": ["upstream/sources"],
  "commander": ["cli"],
  "express": ["adapters/express"],
  "fastify": ["adapters/fastify"],
  "hono": ["adapters/hono"],
  "hono/route": ["adapters/hono"],
  "ipaddr.js": ["util"],
  "jiti": ["config", "transform"],
  "jose": ["access"],
  "lru-cache": ["access", "log/*"],
  "mqtt": ["upstream/sources"],
  "mysql2": ["log/*"],
  "pg": ["log/*"],
  "pino": ["cli"],
  "react": ["react"],
  "selfsigned": ["cli"],
  "undici": ["deliveries", "http1", "proxy", "upstream"],
  "ws": ["upstream/sources"],
  "yaml": ["config"],
  "zod": ["config"],
};

/** The npm packages that each program loads at its start; all others are loaded when they are first used. */
const startPackages: Readonly<Record<string, readonly string[]>> = {
  "cli/main.ts": ["commander"],
  "cli/commands/doctor.ts": ["commander"],
  "cli/commands/key.ts": ["commander", "lru-cache"],
  "cli/commands/publish.ts": ["commander"],
  "cli/commands/serve.ts": ["commander", "ipaddr.js", "lru-cache", "pino", "zod"],
  "cli/worker.ts": ["ipaddr.js", "lru-cache", "pino"],
  "config/create-gateway.ts": ["ipaddr.js", "lru-cache", "zod"],
  "index.ts": ["ipaddr.js", "lru-cache", "zod"],
};

const root = resolve(import.meta.dirname, "../..");
const src = join(root, "src");

/** The layer of a file, given relative to `src`. */
function layerOf(file: string): string {
  const [folder = "", ...rest] = file.split("/");
  if (folder === "adapters" && rest.length > 1) return `adapters/${rest[0]}`;
  if (folder === "upstream" && rest.length > 1) return "upstream/sources";
  if (folder === "workers") return `workers/${rest[0]}`;
  if (folder === "log" && rest.length > 1) return rest[0] === "engine" ? "log/engine" : "log/*";
  return folder;
}

function mayImport(from: string, to: string): boolean {
  const sameStore = dirname(from) === dirname(to);
  const [layer, target] = [layerOf(from), layerOf(to)];
  if (layer === target) return layer !== "log/*" || sameStore;
  return layers[layer]?.includes(target) ?? false;
}

function mayImportPackage(from: string, name: string): boolean {
  return (
    (name.startsWith("node:") && !["client", "stream-store", "react"].includes(layerOf(from))) ||
    (packages[name]?.includes(layerOf(from)) ?? false)
  );
}

async function sourceFiles(): Promise<string[]> {
  const entries = await readdir(src, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => relative(src, join(entry.parentPath, entry.name)));
}

/** What a source text imports: `import`, `export … from` and `import()`. */
function specifiers(text: string): string[] {
  return Array.from(
    text.matchAll(/^(?:import|export|\}).*? from "([^"]+)"|\bimport\("([^"]+)"\)/gm),
    (match) => match[1] ?? match[2] ?? "",
  );
}

test("every folder of src is in the table of layers", async () => {
  const unknown = (await sourceFiles()).filter((file) => !(layerOf(file) in layers));
  expect(unknown).toEqual([]);
});

test("no source file imports anything that its layer may not", async () => {
  const broken: string[] = [];
  for (const file of await sourceFiles()) {
    for (const specifier of specifiers(await readFile(join(src, file), "utf8"))) {
      const target = specifier.startsWith(".") ? relative(src, resolve(src, dirname(file), specifier)) : specifier;
      const allowed = specifier.startsWith(".") ? mayImport(file, target) : mayImportPackage(file, target);
      if (!allowed) broken.push(`${file} imports ${target}`);
    }
  }
  expect(broken).toEqual([]);
});

test("no program loads a package at its start that it may not need", async () => {
  for (const [entry, allowed] of Object.entries(startPackages)) {
    const loaded = await packagesLoadedBy(entry);
    expect([...loaded].filter((name) => !allowed.includes(name)).map((name) => `${entry} loads ${name}`)).toEqual([]);
  }
});

/** The packages that a module of `src` imports, itself or by the modules that it imports; without those of `import()`. */
async function packagesLoadedBy(entry: string): Promise<ReadonlySet<string>> {
  const modules = new Set([entry]);
  const loaded = new Set<string>();
  for (const file of modules) {
    const text = await readFile(join(src, file), "utf8");
    const atStart = text.replaceAll(/^(?:import|export) type [^;]+;|\bimport\([^)]+\)/gm, "");
    for (const specifier of specifiers(atStart)) {
      if (specifier.startsWith(".")) modules.add(relative(src, resolve(src, dirname(file), specifier)));
      else if (!specifier.startsWith("node:")) loaded.add(specifier);
    }
  }
  return loaded;
}

test("the linter forbids exactly the imports that the table forbids", async () => {
  const directory = await mkdtemp(join(tmpdir(), "spillway-layers-"));
  try {
    await copyFile(join(root, ".oxlintrc.json"), join(directory, ".oxlintrc.json"));
    const forbidden: string[] = [];
    for (const layer of Object.keys(layers)) {
      const probe = fileOf(layer, "probe");
      const targets = Object.keys(layers).map((other) => fileOf(other, "target"));
      await writeImports(
        join(directory, "src"),
        probe,
        targets.filter((target) => target !== probe),
      );
      forbidden.push(
        ...targets.filter((target) => !mayImport(probe, target)).map((target) => `${probe} imports ${target}`),
      );
    }
    expect(await refusedByLinter(directory)).toEqual(forbidden.toSorted());
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("the linter forbids cycles of imports, including type-only ones", async () => {
  const directory = await mkdtemp(join(tmpdir(), "spillway-cycles-"));
  try {
    await copyFile(join(root, ".oxlintrc.json"), join(directory, ".oxlintrc.json"));
    await mkdir(join(directory, "src", "util"), { recursive: true });
    const file = (name: string, other: string): Promise<void> =>
      writeFile(
        join(directory, "src", "util", `${name}.ts`),
        `import type { ${other} } from "./${other}.ts";\nexport type ${name} = ${other} | 1;\n`,
      );
    await Promise.all([file("left", "right"), file("right", "left")]);
    const report = await oxlint(directory, ["--format=json", "src"]);
    const cycles = report.diagnostics.filter(({ code }) => code === "import(no-cycle)");
    expect(cycles).not.toEqual([]);
  } finally {
    await rm(directory, { recursive: true });
  }
});

/** A file of the layer, relative to `src`; two names are two stores. */
function fileOf(layer: string, name: string): string {
  if (layer.endsWith(".ts")) return layer;
  return layer === "log/*" ? `log/${name}-store/${name}.ts` : `${layer}/${name}.ts`;
}

async function writeImports(base: string, file: string, targets: readonly string[]): Promise<void> {
  const written = targets.map((target) => relative(dirname(file), target).replace(/^(?!\.)/, "./"));
  await mkdir(join(base, dirname(file)), { recursive: true });
  await writeFile(join(base, file), written.map((specifier) => `import "${specifier}";\n`).join(""));
}

/** What oxlint says of a tree, in the words of the table. */
async function refusedByLinter(directory: string): Promise<string[]> {
  const report = await oxlint(directory, ["--format=json", "src"]);
  return report.diagnostics
    .filter(({ code }) => code === "eslint(no-restricted-imports)")
    .map(({ filename, message }) => {
      const file = relative("src", filename);
      const specifier = /'([^']+)'/.exec(message)?.[1] ?? message;
      return `${file} imports ${join(dirname(file), specifier)}`;
    })
    .toSorted();
}

interface LintReport {
  readonly diagnostics: readonly { readonly code: string; readonly filename: string; readonly message: string }[];
}

function oxlint(cwd: string, args: readonly string[]): Promise<LintReport> {
  return new Promise((done) => {
    // It exits with 1 if it finds something, as it does here.
    execFile(join(root, "node_modules/.bin/oxlint"), args, { cwd, maxBuffer: 1e7 }, (_error, stdout) => {
      done(JSON.parse(stdout) as LintReport);
    });
  });
}
