import type { DriverRemoval } from "../engine/driver.ts";
import type { Reply } from "./driver.ts";
import type { Link } from "./link.ts";
import { eventsKey, keysOf } from "./schema.ts";
import { evaluate } from "./script.ts";
import { removeScript } from "./scripts.ts";
import type { Servers } from "./servers.ts";

/** How many keys of the server one step of a search looks at. */
const scanCount = "1000";

/** Makes the removal of logs. In a Cluster, only the logs on servers that are connected are listed. */
export function createRemoval(prefix: string, servers: Servers): DriverRemoval {
  const metaOf = (stream: string): string => keysOf(prefix, stream).meta;

  return {
    async list(beginning) {
      const [before = "", after = ""] = metaOf("\0").split("\0");
      const found = new Set<string>();
      for (const { reader } of await servers.connected())
        for (const key of await scan(reader, `${escapeGlob(before + beginning)}*${escapeGlob(after)}`))
          found.add(key.slice(before.length, -after.length));
      return [...found];
    },
    async has(stream) {
      const { writer } = await servers.of(stream);
      return (await writer.send(["EXISTS", metaOf(stream)])) === 1;
    },
    async remove(stream, unchanged) {
      const { writer } = await servers.of(stream);
      const { meta, ...others } = keysOf(prefix, stream);
      const head = String(unchanged?.head ?? "");
      for (;;) {
        const found = String((await writer.send(["HGET", meta, "epoch"])) ?? "");
        if (unchanged && found === "") return true;
        const epoch = unchanged?.epoch ?? found;
        const keys = [meta, eventsKey(prefix, stream, epoch), ...Object.values(others)];
        if ((await evaluate(writer, removeScript, keys, [epoch, head])) === 1) return true;
        if (unchanged) return false;
        // A new epoch has begun meanwhile, with other events.
      }
    },
  };
}

async function scan(link: Link, pattern: string): Promise<string[]> {
  const keys: string[] = [];
  let cursor = "0";
  do {
    const reply = (await link.send(["SCAN", cursor, "MATCH", pattern, "COUNT", scanCount])) as readonly Reply[];
    cursor = String(reply[0]);
    keys.push(...(reply[1] as readonly Reply[]).map(String));
  } while (cursor !== "0");
  return keys;
}

function escapeGlob(text: string): string {
  return text.replaceAll(/[\\*?[\]^]/g, "\\$&");
}
