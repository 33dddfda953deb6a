import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readText, root } from "./support.ts";

interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** The instructions of a Dockerfile, continued lines joined. */
function instructionsOf(dockerfile: string): Instruction[] {
  const lines = dockerfile.replaceAll(/^\s*#.*\n/gm, "").replaceAll(/\\\n\s*/g, "");
  return Array.from(lines.matchAll(/^([A-Z]+) (.+)$/gm), ([, name = "", text = ""]) => ({ name, text }));
}

const instructions = instructionsOf(readText("Dockerfile"));
const lastStage = instructions.slice(instructions.findLastIndex(({ name }) => name === "FROM"));

const all = (from: readonly Instruction[], instruction: string): string[] =>
  from.filter(({ name }) => name === instruction).map(({ text }) => text);
const last = (instruction: string): string => all(lastStage, instruction).at(-1) ?? "";

test("the only external image has a version, and every stage is based on it", () => {
  const stages = new Set(["base"]);
  const [first, ...rest] = all(instructions, "FROM");
  expect(first).toMatch(/^node:\d+-[a-z]+-slim AS base$/);
  for (const stage of rest) expect(stages).toContain(stage.split(" ")[0]);
});

test("the image's Node version is supported by the package and has SQLite", () => {
  const [, major] = /^node:(\d+)/.exec(all(instructions, "FROM")[0]!)!;
  expect(Number(major)).toBeGreaterThan(22);
  expect(readText(".ci/run")).toContain(`tests_on_node ${major}`);
});

test("it starts the program as process 1, without a shell", () => {
  expect(JSON.parse(last("ENTRYPOINT"))).toEqual(["node", "/app/dist/cli/main.js"]);
  expect(JSON.parse(last("CMD"))).toEqual(["serve", "--config", "/etc/spillway/spillway.yaml"]);
  expect(last("STOPSIGNAL")).toBe("SIGTERM");
});

test("it runs as a numeric user that only owns the data", () => {
  expect(last("USER")).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  const copies = all(lastStage, "COPY");
  expect(copies.filter((text) => !text.includes("--chown=root:root"))).toEqual([]);
  expect(
    all(lastStage, "RUN")
      .join("\n")
      .match(/-o (\d+) -g (\d+) (\S+)/)
      ?.slice(1)
      .join(" "),
  ).toBe("1000 1000 /data");
  expect(last("VOLUME")).toBe("/data");
  expect(last("WORKDIR")).toBe("/data");
  const order = lastStage.map(({ name }) => name);
  expect(order.lastIndexOf("RUN")).toBeLessThan(order.indexOf("USER"));
});

test("Node checks its health, on the port that it listens on", () => {
  const [options = "", command = ""] = last("HEALTHCHECK").split(" CMD ");
  for (const option of ["interval", "timeout", "start-period", "retries"]) expect(options).toContain(`--${option}=`);
  expect((JSON.parse(command) as string[])[0]).toBe("node");
  const variables = Object.fromEntries(
    Array.from(last("ENV").matchAll(/(\w+)=(\S+)/g), ([, name, text]) => [name!, text!]),
  );
  const port = last("EXPOSE");
  expect(variables["SPILLWAY_LISTEN"]).toBe(`0.0.0.0:${port}`);
  expect(variables["SPILLWAY_HEALTH_URL"]).toBe(`http://127.0.0.1:${port}/healthz`);
});

test("it installs exactly the lock file, runs no install scripts, and fetches nothing else", () => {
  const runs = all(instructions, "RUN").join(" && ");
  const npm = runs.split("&&").filter((command) => /\bnpm (ci|install|i|prune)\b/.test(command));
  expect(npm.map((command) => command.trim().split(" ")[1])).toEqual(["ci", "prune"]);
  for (const command of npm) expect(command).toContain("--ignore-scripts");
  expect(runs).toContain("--omit=dev");
  // The drivers are peer dependencies, which a pruned package only keeps as direct ones.
  expect(runs).toMatch(/npm pkg set .*peerDependencies.*'dependencies\.'/);
  expect(runs).not.toMatch(/\b(sudo|apt-get|curl|wget|npx)\b/);
  expect(all(instructions, "ADD")).toEqual([]);
});

test("every file that it copies exists and is not ignored", () => {
  const kept = readText(".dockerignore")
    .split("\n")
    .filter((line) => line.startsWith("!"));
  const copied = all(instructions, "COPY")
    .filter((text) => !text.includes("--from="))
    .flatMap((text) =>
      text
        .split(" ")
        .filter((word) => !word.startsWith("--"))
        .slice(0, -1),
    );
  expect([...new Set(copied)].toSorted()).toEqual(kept.map((line) => line.slice(1)).toSorted());
  expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

test("its variables contain no secret, and its labels describe the image", () => {
  expect([...all(instructions, "ENV"), ...all(instructions, "ARG")].join(" ")).not.toMatch(
    /key|secret|token|password/i,
  );
  const labels = last("LABEL");
  for (const label of ["title", "description", "licenses", "version", "revision"])
    expect(labels).toContain(`org.opencontainers.image.${label}=`);
});
