import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadedTransform, loadTransform } from "../../../src/transform/load.ts";
import { toTransformEvent } from "../../../src/transform/encode.ts";

let folder: string;
const field = "streams.s.transform";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "spillway-"));
});

afterEach(() => rm(folder, { recursive: true }));

async function write(name: string, text: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, text);
  return file;
}

const event = toTransformEvent({ event: "message", data: "a", id: undefined });
const context = { route: "/", path: "/", subject: "anonymous" };

async function dataOf(module: string): Promise<unknown> {
  const result = await (await loadTransform(module, field))(event, context);
  return (result as { readonly data: unknown }).data;
}

test.each([
  ["map.js", "export default ({ data }) => ({ data: data + 1 });"],
  ["map.mjs", "export default async ({ data }) => ({ data: data + 1 });"],
  ["map.cjs", "module.exports = ({ data }) => ({ data: data + 1 });"],
  ["map.ts", "export default ({ data }: { data: string }): object => ({ data: data + 1 });"],
  ["map.mts", "const one: number = await Promise.resolve(1); export default ({ data }) => ({ data: data + one });"],
])("%s is loaded", async (name, text) => {
  await expect(dataOf(await write(name, text))).resolves.toBe("a1");
});

test("a module may import others by paths relative to its own", async () => {
  await write("one.ts", "export const one: number = 1;");
  const module = await write(
    "map.ts",
    'import { one } from "./one.ts"; export default ({ data }) => ({ data: data + one });',
  );
  await expect(dataOf(module)).resolves.toBe("a1");
});

test.each(["map.js", "map.mjs", "map.cjs", "map.ts"])("%s is loaded once, and again after a change", async (name) => {
  const text = (n: number): string =>
    name.endsWith(".cjs") ? `module.exports = () => ({ data: ${n} });` : `export default () => ({ data: ${n} });`;
  const module = await write(name, text(1));
  const first = await loadTransform(module, field);
  await expect(loadTransform(module, field)).resolves.toBe(first);
  await write(name, text(2));
  expect(loadedTransform(module)).toBe(first);
  await expect(dataOf(module)).resolves.toBe(2);
  expect(loadedTransform(module)).not.toBe(first);
});

test.each([
  ["is missing", undefined, /none\.js: cannot be read \(ENOENT\)/],
  ["cannot be parsed", "export default (", /broken\.js: /],
  ["throws", 'throw new Error("no licence")', /throws\.js: no licence/],
  ["imports what is missing", 'import "./missing.js"', /import\.js: Cannot find module/],
  ["has no default export", "export const map = () => {};", /expected a function as default export, got none/],
  ["exports no function", "export default 42;", /expected a function as default export, got one of the type number/],
])("a module that %s is refused", async (_, text, message) => {
  const name = /^\/?(\w+)/.exec(message.source)![1]!;
  const file =
    text === undefined ? join(folder, "none.js") : await write(name === "expected" ? "m.js" : `${name}.js`, text);
  const refused = loadTransform(file, field);
  await expect(refused).rejects.toMatchObject({ code: "config-invalid", field });
  await expect(refused).rejects.toThrow(message);
});

test("after a change to a broken module, the one loaded before stays", async () => {
  const module = await write("map.js", "export default () => undefined;");
  const first = await loadTransform(module, field);
  await write("map.js", "export default (");
  await expect(loadTransform(module, field)).rejects.toThrow();
  expect(loadedTransform(module)).toBe(first);
});
