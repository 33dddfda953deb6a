/** Checks that need the configuration: what `spillway doctor` and a running gateway have in common. */
import { realpath, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fail, ok, warn, type Check } from "../doctor/check.ts";
import { checkClock } from "../doctor/clock.ts";
import { checkFolder } from "../doctor/disk.ts";
import { checkMachine } from "../doctor/machine.ts";
import { checkEngine } from "../doctor/store.ts";
import type { CheckedStream } from "../gateway/diagnostics.ts";
import type { GatewayOptions } from "../gateway/options.ts";
import { engineOf, fileOf } from "./open-store.ts";

/** Checks the machine of a running gateway, whose store is open. */
export async function checkRunning(
  options: GatewayOptions,
  streams: readonly CheckedStream[],
): Promise<readonly Check[]> {
  return [
    ...streams.flatMap(({ name, paused }) => (paused === undefined ? [] : [pausedCheck(name, paused)])),
    ...(await checkPlace(options, streams)),
    clockCheck(new Map(streams.filter(({ lastTime }) => lastTime > 0).map(({ name, lastTime }) => [name, lastTime]))),
    listenerCheck(options),
    ...(await capacityChecks(options)),
  ];
}

function pausedCheck(stream: string, code: string): Check {
  return fail("store", `the stream ${stream} cannot store events: ${code}`, `see docs/reference/errors.md for ${code}`);
}

async function checkPlace(options: GatewayOptions, streams: readonly CheckedStream[]): Promise<readonly Check[]> {
  const engine = engineOf(options.store);
  if (engine) return checkEngine(engine);
  const path = fileOf(options.store);
  if (path === undefined) return streams.length > 0 ? [volatileCheck()] : [];
  const folder = await realpath(dirname(resolve(path)));
  const { size } = await stat(path);
  return [ok("store", `${path} is open`), ...(await checkFolder(folder, size, retainedBytes(options)))];
}

/** The check of a log in memory. */
export function volatileCheck(): Check {
  return warn(
    "store",
    "the log is in memory, so a restart loses all events",
    "set store: sqlite:<path> to keep events across restarts",
  );
}

/** Which listener serves subscriptions. */
export function listenerCheck({ listener }: GatewayOptions): Check {
  return ok("listener", listeners[listener]);
}

const listeners = {
  raw: "raw: subscriptions over HTTP/1.1 are written straight to their sockets; start with --listener node to rule that out",
  node: "node: every connection is served by Node's own HTTP server; `raw` takes less memory and CPU time",
} as const;

/** Whether the machine has what the limits need. */
export function capacityChecks({ limits, workers, streams }: GatewayOptions): Promise<readonly Check[]> {
  const { connections, memory } = limits;
  return checkMachine({ connections, memory, workers, streams: Object.keys(streams).length });
}

/** The sum of `retention.bytes` over all streams; `undefined` if a stream has no limit. */
export function retainedBytes({ streams }: GatewayOptions): number | undefined {
  const bounds = Object.values(streams).map((stream) => stream.retention.bytes);
  return bounds.reduce((sum, bytes) => (sum === undefined || bytes === undefined ? undefined : sum + bytes), 0);
}

/** Whether the clock is behind the last events, whose times are in ms since 1970. */
export function clockCheck(lastEvents: ReadonlyMap<string, number>): Check {
  const now = Date.now();
  const stepped = now - (performance.timeOrigin + performance.now());
  return checkClock({ now, stepped, lastEvents });
}
