/** The checks of `spillway doctor` without a URL: whether a gateway with this configuration can run on this machine. */
import { mkdtemp, realpath, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { capacityChecks, clockCheck, listenerCheck, retainedBytes, volatileCheck } from "../config/checks.ts";
import { ConfigError, formatIssue } from "../config/issues.ts";
import { engineOf, fileOf, openReaders, openStore } from "../config/open-store.ts";
import { fail, ok, type Check } from "../doctor/check.ts";
import { checkFolder } from "../doctor/disk.ts";
import { checkEngine, checkStore, checkStoreWrites } from "../doctor/store.ts";
import { checkUpstream } from "../doctor/upstream.ts";
import { SpillwayError } from "../errors.ts";
import type { GatewayOptions } from "../gateway/options.ts";
import { silentLogger } from "../util/logger.ts";
import type { ConfigFlags } from "./config-flags.ts";
import { resolveFlags } from "./resolve-flags.ts";

/** Yields each check as soon as it is done. An invalid configuration yields only its errors. */
export async function* checkHere(flags: ConfigFlags, upstreams: boolean): AsyncGenerator<Check, void> {
  const options = await resolveFlags(flags).catch((error: unknown) => error);
  if (options instanceof Error) return yield* configIssues(options);
  yield* checkOptions(options as GatewayOptions, upstreams);
}

function configIssues(error: Error): readonly Check[] {
  if (!(error instanceof SpillwayError)) throw error;
  const issues = error instanceof ConfigError ? error.issues.map(formatIssue) : [error.message];
  return issues.map((issue) => fail("config", issue, `see docs/reference/errors.md for ${error.code}`));
}

async function* checkOptions(options: GatewayOptions, upstreams: boolean): AsyncGenerator<Check, void> {
  const streams = Object.entries(options.streams);
  yield ok("config", `${streams.length} stream${streams.length === 1 ? "" : "s"} configured`);
  yield* await checkLog(options);
  yield listenerCheck(options);
  yield* await capacityChecks(options);
  for (const [name, { upstream }] of streams) {
    if (upstreams && upstream) yield* await checkUpstream(name, upstream);
  }
}

/** Checks the log, and that the clock is not behind the log's last event. */
async function checkLog(options: GatewayOptions): Promise<readonly Check[]> {
  const engine = engineOf(options.store);
  if (engine) return [...(await checkEngine(engine)), clockCheck(new Map())];
  const path = fileOf(options.store);
  if (path === undefined) {
    return [volatileCheck(), clockCheck(new Map())];
  }
  const folder = await realpath(dirname(resolve(path))).catch(() => undefined);
  if (folder === undefined) {
    return [
      fail("store", `the folder ${dirname(path)} does not exist`, "create the folder, or set another path in store"),
      clockCheck(new Map()),
    ];
  }
  const held = (await stat(path).catch(() => undefined))?.size;
  return [
    held === undefined
      ? ok("store", `${path} does not exist yet and is created at the first start`)
      : await checkStore(path, () => open(options)),
    await checkStoreWrites(folder, () => append(folder)),
    ...(await checkFolder(folder, held ?? 0, retainedBytes(options))),
    clockCheck(held === undefined ? new Map() : await lastEvents(options)),
  ];
}

async function open(options: GatewayOptions): Promise<void> {
  const store = await openStore(options, { logger: silentLogger });
  await store.close();
}

/** Appends to a temporary log; resolves to the duration in ms. */
async function append(folder: string): Promise<number> {
  const own = await mkdtemp(join(folder, ".spillway-doctor-"));
  try {
    const store = await openStore({ store: `sqlite:${own}/log.db`, synchronous: "full" }, { logger: silentLogger });
    try {
      const log = await store.open("doctor", { retention: { age: undefined, events: undefined, bytes: undefined } });
      const startedAt = performance.now();
      await log.append([{ event: "message", data: "", channel: undefined, upstreamId: undefined }]);
      return performance.now() - startedAt;
    } finally {
      await store.close();
    }
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

/** The time of each stream's last event. Leaves out new logs, and unreadable ones, which another check has reported. */
async function lastEvents(options: GatewayOptions): Promise<ReadonlyMap<string, number>> {
  const times = new Map<string, number>();
  const readers = await openReaders(options).catch(() => undefined);
  for (const name of Object.keys(options.streams)) {
    try {
      const time = readers?.open(name).state().lastTime;
      if (time !== undefined) times.set(name, time);
    } catch {
      // The stream is new.
    }
  }
  readers?.close();
  return times;
}
