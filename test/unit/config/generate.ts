/** The texts that are generated from the declarations of the options. */
import type { OptionSchema } from "../../../src/config/json-schema.ts";

/** An option, or a section. */
interface Entry {
  readonly key: string;
  readonly schema: OptionSchema;
}

/** All options with their paths; a section is not an option. */
export function optionsOf(schema: OptionSchema, path: readonly string[] = []): Entry[] {
  const { properties, additionalProperties: named } = schema;
  if (properties) return Object.entries(properties).flatMap(([key, inner]) => optionsOf(inner, [...path, key]));
  if (typeof named !== "object" || !named.properties) return [{ key: path.join("."), schema }];
  return optionsOf(named, [...path, ["routes", "runs"].includes(path.at(-1)!) ? "<path>" : "<name>"]);
}

/** Whether an option of runs is one of routes, so that the reference describes it there. */
export function isRouteOption({ key, schema }: Entry, routes: readonly Entry[]): boolean {
  if (!key.startsWith("runs.")) return false;
  const same = routes.find((option) => option.key === key.replace("runs.", "routes."));
  return same?.schema.description === schema.description && same?.schema.default === schema.default;
}

/** A default as one writes it in YAML. */
function printDefault(value: unknown): string {
  if (value === undefined) return "";
  const text =
    typeof value === "string"
      ? value
      : JSON.stringify(value)
          .replaceAll(/"(\w+)"/g, "$1")
          .replaceAll(",", ", ");
  return `\`${text}\``;
}

/** Replaces the part of the page that begins with its heading line and ends before the next marker. */
export function withTable(page: string, name: string, rows: readonly (readonly string[])[]): string {
  const [begin, end] = [`<!-- begin ${name}: npm run generate -->`, `<!-- end ${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`no "${begin}" and "${end}" in the page`);
  return `${page.slice(0, from + begin.length)}\n\n${table(rows)}\n\n${page.slice(to)}`;
}

/** A Markdown table as the formatter writes it. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)));
  lines.splice(
    1,
    0,
    widths.map((width) => "-".repeat(width)),
  );
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** The rows of the reference. */
export function rowsOf(entries: readonly Entry[], heading: string): string[][] {
  const rows = entries.map(({ key, schema }) => [
    `\`${key}\``,
    printDefault(schema.default),
    (schema.description ?? "").replaceAll("|", "\\|"),
  ]);
  return [[heading, "default", "meaning"], ...rows];
}

/** `src/config/config.ts`: the options as TypeScript interfaces. */
export function typesOf(schema: OptionSchema): string {
  const sections = new Map<string, OptionSchema>();
  collect(schema, sections);
  return `${preamble}\n${[...sections].map(printInterface).join("\n")}`;
}

const preamble = `/**
 * The configuration as its author writes it, in a file or in code. \`resolveConfig\` turns it into \`GatewayOptions\`.
 * Generated from the declarations in this folder by \`npm run generate\`.
 */
import type { AuthorizeFunction } from "../access/authorize.ts";
import type { Right } from "../access/identity.ts";
import type { StreamDefinition } from "../events/definition.ts";
import type { UpstreamHeaders } from "../upstream/upstream.ts";

/** A number of milliseconds, or text: \`500ms\`, \`10s\`, \`5m\`, \`24h\`, \`7d\`. */
export type Duration = number | string;

/** A number of bytes, or text: \`256KiB\`, \`1GiB\` (powers of 1024), \`10MB\` (powers of 1000). */
export type Size = number | string;

/** A whole number; in text, \`_\` may group digits: \`1_000_000\`. */
export type Count = number | string;

/** A part of a whole: \`20%\`, or a number from 0 to 1. */
export type Percentage = number | string;
`;

function collect(schema: OptionSchema, into: Map<string, OptionSchema>): void {
  const { title, properties = {}, additionalProperties: named, items, anyOf = [] } = schema;
  if (title !== undefined && schema.properties) into.set(title, schema);
  const inner = [...Object.values(properties), ...(typeof named === "object" ? [named] : []), ...anyOf];
  for (const child of items ? [...inner, items] : inner) collect(child, into);
}

function printInterface([name, { description = "", properties = {}, required = [] }]: [string, OptionSchema]): string {
  const members = Object.entries(properties).map(([key, schema]) => {
    const fallback = schema.default === undefined ? "" : ` Default: ${printDefault(schema.default)}.`;
    const type = required.includes(key) ? `: ${typeOf(schema)}` : `?: ${typeOf(schema)} | undefined`;
    return `${comment(`${schema.description ?? ""}${fallback}`, "  ")}  readonly ${key}${type};\n`;
  });
  return `${comment(description, "")}export interface ${name} {\n${members.join("")}}\n`;
}

/** On one line if it fits, else on lines of at most 120 characters. Links are relative to the reference, so only their text stays. */
function comment(markdown: string, indent: string): string {
  const text = markdown.replaceAll(/ \(\[[^\]]+\]\([^)]+\)\)/g, "").replaceAll(/\[([^\]]+)\]\([^)]+\)/g, "$1");
  if (indent.length + text.length + 7 <= 120) return `${indent}/** ${text} */\n`;
  const lines = [""];
  for (const word of text.split(" ")) {
    if (indent.length + 3 + lines.at(-1)!.length + 1 + word.length > 120) lines.push("");
    lines.push(`${lines.pop()!} ${word}`);
  }
  return `${indent}/**\n${lines.map((line) => `${indent} *${line}\n`).join("")}${indent} */\n`;
}

function typeOf(schema: OptionSchema): string {
  const { tsType, title, properties, additionalProperties: named, items, anyOf, type, required = [] } = schema;
  if (tsType !== undefined) return tsType;
  if (properties && title !== undefined) return title;
  if (properties) {
    const members = Object.entries(properties).map(([key, inner]) =>
      required.includes(key) ? `readonly ${key}: ${typeOf(inner)}` : `readonly ${key}?: ${typeOf(inner)} | undefined`,
    );
    return `{ ${members.join("; ")} }`;
  }
  if (anyOf) return anyOf.map(typeOf).join(" | ");
  if (items) return `readonly ${/ \| /.test(typeOf(items)) ? `(${typeOf(items)})` : typeOf(items)}[]`;
  if (typeof named === "object") return `Readonly<Record<string, ${typeOf(named)}>>`;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((choice) => JSON.stringify(choice)).join(" | ");
  return typeof type === "string" ? type : type!.join(" | ");
}
