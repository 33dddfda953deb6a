import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { errorCodes, SpillwayError, type ErrorCode } from "../../src/errors.ts";
import { problem } from "../../src/http/problem.ts";
import { createNdjsonFormat } from "../../src/hub/format.ts";

const root = resolve(import.meta.dirname, "../..");
const protocol = readFileSync(resolve(root, "PROTOCOL.md"), "utf8");
const [controlSource, sharedSource] = ["src/hub/control.ts", "src/events/control.ts"].map((file) =>
  readFileSync(resolve(root, file), "utf8"),
) as [string, string];

/** The names and members of the interface `ControlEvents`, and of `Gap` and `Reset`, which it refers to. */
const controls = new Map(
  Array.from(controlSource.matchAll(/^ {2}readonly "([^"]+)": (\{[\s\S]*?\}|\w+);/gm), ([, name = "", type = ""]) => {
    const body = /^\w/.test(type) ? new RegExp(`interface ${type} \\{[\\s\\S]*?\\n\\}`).exec(sharedSource)![0] : type;
    return [name, Array.from(body.matchAll(/readonly (\w+):/g), ([, member = ""]) => member)];
  }),
);

/** The text below a heading with this title, up to the next heading. */
function section(title: string): string {
  const [, text = ""] = protocol.split(new RegExp(`^#+ [\\d.]+ ${title}$`, "m"));
  return text.split(/^#/m)[0]!;
}

function rows(text: string): string[][] {
  return Array.from(text.matchAll(/^\| `([^`]+)` *\| *(\S+)/gm), ([, ...cells]) => cells);
}

test("it states the version of the protocol", () => {
  expect(protocol).toContain("**Protocol version 1.**");
});

test("every control event has a section that lists its members, and there are no other sections", () => {
  const sections = Array.from(protocol.matchAll(/^### [\d.]+ `([^`]+)`$/gm), ([, name]) => name);
  expect(sections).toEqual([...controls.keys()]);
  for (const [name, members] of controls) {
    const listed = rows(section(`\`${name}\``)).map(([member]) => member);
    expect({ name, listed }).toEqual({ name, listed: members });
  }
});

test("every reserved type that is named exists", () => {
  const heartbeat = JSON.parse(createNdjsonFormat("epoch", "gateway").heartbeat(undefined)) as { event: string };
  const named = new Set(protocol.match(/spillway\.[a-z]+/g));
  const existing = [...controls.keys(), heartbeat.event].filter((name) => name.startsWith("spillway."));
  expect([...named].toSorted()).toEqual(existing.toSorted());
});

test("the error table lists exactly the codes that a request can get, with their status", () => {
  const answered = (Object.keys(errorCodes) as ErrorCode[]).map((code): [string, number] => {
    const { status, body } = problem(new SpillwayError(code));
    return [(JSON.parse(body!) as { code: string }).code, status];
  });
  const listed = rows(section("Errors")).map(([code = "", status]): [string, number] => [code, Number(status)]);
  expect(new Map(listed)).toEqual(new Map(answered));
  expect(listed).toHaveLength(new Set(answered.map(([code]) => code)).size);
});
