import { execFile } from "node:child_process";
import { copyFile, cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

/** The built stores with their dependencies, in a folder without optional packages. */
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "spillway-drivers-"));
  for (const part of ["log", "util"]) await cp(`dist/${part}`, join(folder, "dist", part), { recursive: true });
  await cp("node_modules/lru-cache", join(folder, "node_modules/lru-cache"), { recursive: true });
  await copyFile("dist/errors.js", join(folder, "dist/errors.js"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
});

afterAll(() => rm(folder, { recursive: true }));

const builtInSqlite = Number(process.versions.node.split(".")[0]) >= 22;

test.for([
  ["postgres", "createPostgresStore", { url: "postgres://127.0.0.1/test", node: "a" }, "pg"],
  ["mysql", "createMysqlStore", { url: "mysql://127.0.0.1/test", node: "a" }, "mysql2"],
  ["redis", "createRedisStore", { url: "redis://127.0.0.1", node: "a" }, "@redis/client"],
  ["nats", "createNatsStore", { url: "nats://127.0.0.1", node: "a" }, "@nats-io/transport-node @nats-io/jetstream"],
  ...(builtInSqlite ? [] : [["sqlite", "createSqliteStore", { path: "log.db" }, "@photostructure/sqlite"] as const]),
] as const)(
  "without its driver, the %s store reports what to install",
  async ([engine, factory, options, packages]) => {
    const program = join(folder, `${engine}.js`);
    await writeFile(
      program,
      `import { ${factory} } from "./dist/log/${engine}/index.js";
    await ${factory}(${JSON.stringify(options)}).catch(({ code, expected, message }) => console.log(JSON.stringify({ code, expected, message })));`,
    );
    const { stdout } = await promisify(execFile)(process.execPath, [program], { cwd: folder });
    expect(JSON.parse(stdout)).toEqual({
      code: "driver-missing",
      expected: packages,
      message: expect.stringContaining(`npm install ${packages}`) as unknown,
    });
  },
);
