import type { Logger } from "../../util/logger.ts";
import { RefusedError } from "./failure.ts";
import type { Link } from "./link.ts";

/** Says in the log what the server's settings make of the promise that nothing is lost. */
export async function warnOfSettings(link: Link, place: string, logger: Logger): Promise<void> {
  const info = await ask(link, ["INFO"]);
  const aof = setting(info, "aof_enabled");
  if (aof === "0") {
    logger.warn({ place }, "the server keeps no append-only file: its end loses events (set appendonly yes)");
  } else if (aof === "1") {
    const sync = await ask(link, ["CONFIG", "GET", "appendfsync"]);
    if (/everysec|\bno\b/.test(sync)) {
      const text =
        "the server confirms events before they are on its disk: a power cut loses the latest (set appendfsync always)";
      logger.info({ place }, text);
    }
  }
  const policy = setting(info, "maxmemory_policy");
  if (policy?.startsWith("allkeys-") && setting(info, "maxmemory") !== "0") {
    logger.warn(
      { place, policy },
      "the server removes keys when its memory is full, logs too (set maxmemory-policy noeviction)",
    );
  }
}

/** Not everyone may ask, and not every server answers. */
async function ask(link: Link, command: readonly string[]): Promise<string> {
  try {
    return String(await link.send(command));
  } catch (error) {
    if (error instanceof RefusedError) return "";
    throw error;
  }
}

function setting(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(\\S*)`, "m").exec(info)?.[1];
}
