import { createHub } from "../hub/create-hub.ts";
import type { Audience, ServedStream } from "../http/served.ts";
import type { Hub } from "../hub/hub.ts";
import { withFields, type Logger } from "../util/logger.ts";
import type { Limits, StreamOptions } from "./options.ts";
import type { StreamSource } from "./source.ts";

export interface StreamDependencies {
  readonly limits: Limits;
  readonly logger: Logger;
}

/** Puts a hub behind a stream's source: what is needed to serve it from this process. */
export async function serveStream(
  name: string,
  options: StreamOptions,
  source: StreamSource,
  { limits, logger }: StreamDependencies,
): Promise<ServedStream> {
  let release: (() => void) | undefined;
  const hub = await createHub(source.log, {
    ids: options.ids,
    heartbeat: options.heartbeat,
    coalesce: options.coalesce,
    outbox: limits.outbox,
    stall: limits.stall,
    logger: withFields(logger, { stream: name }),
    onSubscribers(count) {
      if (count > 0) release ??= source.hold();
      else {
        release?.();
        release = undefined;
      }
    },
  });
  source.onUpstream((state) => hub.broadcast("spillway.upstream", { state }));
  const { log, append, upstream, paused, hold } = source;
  return { name, ids: options.ids, log, hub, audience: () => audienceOf(hub), append, upstream, paused, hold };
}

function audienceOf(hub: Hub): Audience {
  const { delivered, closed } = hub.stats;
  return { subscribers: hub.subscribers, ...hub.backlog(), delivered, closed };
}
