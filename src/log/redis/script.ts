import { createHash } from "node:crypto";
import type { Connection } from "./connection.ts";
import type { Command, Reply } from "./driver.ts";
import { RefusedError } from "./failure.ts";
import { stateFields } from "./schema.ts";

/** A Lua script and its name on the server. */
export interface Script {
  readonly source: string;
  /** Its SHA-1 in hex. */
  readonly digest: string;
}

/** Makes a script of parts. */
export function script(...parts: readonly string[]): Script {
  const source = parts.join("\n");
  return { source, digest: createHash("sha1").update(source).digest("hex") };
}

/** A part of scripts: reads where a log stands. */
export const readMeta: string = `
local function snapshot(meta)
  return redis.call('HMGET', meta, ${stateFields.map((field) => `'${field}'`).join(", ")})
end`;

/** Runs a script; sends its text only where the server does not have it yet. */
export async function evaluate(
  { send }: Pick<Connection, "send">,
  { digest, source }: Script,
  keys: readonly string[],
  args: Command,
): Promise<Reply> {
  const rest = [String(keys.length), ...keys, ...args];
  try {
    return await send(["EVALSHA", digest, ...rest]);
  } catch (error) {
    if (!(error instanceof RefusedError) || error.reply !== "NOSCRIPT") throw error;
    return send(["EVAL", source, ...rest]);
  }
}
