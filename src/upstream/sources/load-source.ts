import type { CreateSource } from "../source.ts";
import type { UpstreamOptions } from "../upstream.ts";
import { createSseSource } from "./sse.ts";

/**
 * Loads what the source of an upstream requires, and resolves to the function that creates it.
 * @throws {SpillwayError} `driver-missing`, naming the package to install.
 */
export async function loadSource(options: UpstreamOptions): Promise<CreateSource> {
  const { source } = options;
  switch (source.kind) {
    case "sse":
      return () => createSseSource(options);
    case "ndjson": {
      const { createNdjsonSource } = await import("./ndjson.ts");
      return () => createNdjsonSource(options);
    }
    case "poll": {
      const { createPollSource } = await import("./poll.ts");
      return () => createPollSource(options, source);
    }
  }
}
