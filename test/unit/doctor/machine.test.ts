import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { formatCheck, warn } from "../../../src/doctor/check.ts";
import { checkClock } from "../../../src/doctor/clock.ts";
import { checkDisk, checkFileSystem } from "../../../src/doctor/disk.ts";
import {
  checkFileLimit,
  checkKernel,
  checkMemory,
  checkNodeVersion,
  parseFileLimit,
  type KernelReading,
} from "../../../src/doctor/machine.ts";

const GiB = 2 ** 30;

test("Node.js 20.19 and later is accepted", () => {
  const outcomes = ["18.20.0", "20.18.9", "20.19.0", "21.0.0", "22.1.0"].map(
    (version) => checkNodeVersion(version).outcome,
  );
  expect(outcomes).toEqual(["fail", "fail", "ok", "ok", "ok"]);
});

test("a clock that cannot be right is a failure; one behind the log, or one that steps, is a warning", () => {
  const now = Date.UTC(2026, 5);
  const last = (time: number): ReadonlyMap<string, number> =>
    new Map([
      ["quiet", 0],
      ["prices", time],
    ]);
  expect(checkClock({ now: 0, stepped: 0, lastEvents: new Map() }).outcome).toBe("fail");
  expect(checkClock({ now, stepped: 0, lastEvents: last(now - 5) }).outcome).toBe("ok");
  const late = checkClock({ now, stepped: 0, lastEvents: last(now + 60_000) });
  expect(late.outcome).toBe("warn");
  expect(late.found).toContain("60 s behind the last event of prices");
  expect(checkClock({ now, stepped: -3_600_000, lastEvents: new Map() }).outcome).toBe("warn");
});

test("the disk must have room for what retention allows", () => {
  const disk = { folder: "/log", held: 0, retention: GiB };
  expect(checkDisk({ ...disk, free: 2 * GiB }).outcome).toBe("ok");
  expect(checkDisk({ ...disk, free: GiB }).outcome).toBe("warn");
  expect(checkDisk({ ...disk, free: GiB, held: GiB }).outcome).toBe("ok");
  expect(checkDisk({ ...disk, free: 1_000_000 }).outcome).toBe("fail");
  expect(checkDisk({ ...disk, free: 900 * GiB, retention: undefined }).outcome).toBe("warn");
});

test("file systems in a network, in memory or in a container are warnings", () => {
  const kinds = [0xef53, 0x6969, 0xff534d42, 0xff534d42 - 2 ** 32, 0x01021994, 0x794c7630, undefined];
  expect(kinds.map((kind) => checkFileSystem("/log", kind).outcome)).toEqual(["ok", ...Array<string>(6).fill("warn")]);
});

test("the limit of open files is parsed from the kernel's text", () => {
  const text = (limit: string): string =>
    `Limit  Soft Limit  Hard Limit  Units\nMax open files   ${limit}   524288   files\n`;
  expect(parseFileLimit(text("1024"))).toBe(1_024);
  expect(parseFileLimit(text("unlimited"))).toBe(Infinity);
  expect(parseFileLimit("Max locked memory 1 2 bytes")).toBeUndefined();
});

test("the limit of open files must cover the connections and a reserve", () => {
  const outcomes = [50_256, 50_255, 200, Infinity, undefined].map((limit) => checkFileLimit(limit, 50_000).outcome);
  expect(outcomes).toEqual(["ok", "warn", "fail", "ok", "warn"]);
  expect(checkFileLimit(undefined, 1).found).toMatch(/^skipped/);
});

test("kernel settings are at most warnings, each on its own, and also if they cannot be read", () => {
  const tuned: KernelReading = {
    "net.core.somaxconn": [65_535],
    "net.ipv4.tcp_max_syn_backlog": [65_535],
    "net.ipv4.ip_local_port_range": [1_024, 65_535],
    "net.ipv4.tcp_mem": [1, 2, 1_000_000],
  };
  const outcomes = (reading: KernelReading): string[] => checkKernel(reading, 50_000).map(({ outcome }) => outcome);
  expect(outcomes(tuned)).toEqual(["ok", "ok", "ok", "ok"]);
  expect(outcomes({ ...tuned, "net.core.somaxconn": [4_096] })).toEqual(["warn", "ok", "ok", "ok"]);
  expect(outcomes({ ...tuned, "net.ipv4.tcp_max_syn_backlog": [256] })).toEqual(["ok", "warn", "ok", "ok"]);
  expect(outcomes({ ...tuned, "net.ipv4.ip_local_port_range": [32_768, 60_999] })).toEqual(["ok", "ok", "warn", "ok"]);
  expect(outcomes({ ...tuned, "net.ipv4.tcp_mem": [1, 2, 3] })).toEqual(["ok", "ok", "ok", "warn"]);
  expect(outcomes({})).toEqual(["warn", "warn", "warn", "warn"]);
  expect(checkKernel({}, 1).every(({ found }) => found.startsWith("skipped"))).toBe(true);
});

test("memory is compared with the clients, and with its own limit", () => {
  const memory = { total: 8 * GiB, limit: 2 * GiB, connections: 50_000, workers: 1, streams: 1 };
  expect(checkMemory(memory).outcome).toBe("ok");
  expect(checkMemory({ ...memory, total: GiB / 2 }).outcome).toBe("fail");
  expect(checkMemory({ ...memory, total: 0.7 * GiB }).outcome).toBe("warn");
  expect(checkMemory({ ...memory, limit: GiB / 4 }).outcome).toBe("warn");
  expect(checkMemory({ ...memory, limit: GiB / 4, workers: 4 }).outcome).toBe("ok");
});

test("the memory for the default limits is that of the guide", () => {
  const { found } = checkMemory({ total: 8 * GiB, limit: undefined, connections: 50_000, workers: 1, streams: 1 });
  const [, figure] = /take about ([\d.]+ MiB) of/.exec(found)!;
  const guide = readFileSync("docs/guides/limits.md", "utf8");
  expect(guide.match(/50,000 idle clients\s+take about ([\d.]+ MiB)/)?.[1]).toBe(figure);
});

test("a check is one line, whatever it found", () => {
  expect(formatCheck(warn("disk", "a\n  b\u001b[2J", "c"))).toBe("warn  disk                          a b [2J; c");
});
