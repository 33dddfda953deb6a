import { toJson, type DeliveredEvent } from "../hub/format.ts";
import { trimmedGap } from "../hub/gap.ts";
import { narrow } from "../http/filter.ts";
import { findStart, type Asked } from "../http/position.ts";
import type { ServedStream } from "../http/gateway-context.ts";

export interface SubscribeOptions {
  /** An event's id, `earliest` or `now`. Default `now`. */
  readonly after?: string | undefined;
  /** Only these channels; `*` in a name stands for any characters. */
  readonly channels?: readonly string[] | undefined;
  /** Only these types, in the same way. */
  readonly events?: readonly string[] | undefined;
  /** Ends the iteration, as closing the gateway does. */
  readonly signal?: AbortSignal | undefined;
}

/** What is read at once. */
const pageSize = { limit: 256, maxBytes: 1024 * 1024 };

/** Follows a stream inside the process. A hole arrives as an event `spillway.gap` or `spillway.reset`, as it does on the wire. */
export async function* iterate(
  stream: ServedStream,
  { after, channels, events, signal = new AbortController().signal }: SubscribeOptions,
): AsyncGenerator<DeliveredEvent, void, undefined> {
  const { log, hub, ids } = stream;
  const filter = narrow({ channels, events }, {});
  const asked: Asked = { after };
  const start = await findStart(asked, stream, { filter, granted: undefined, search: undefined });
  const release = stream.hold();
  try {
    let { position } = start;
    if (start.gap) yield control("spillway.gap", start.gap, hub.idAt(position));
    if (start.reset) yield control("spillway.reset", start.reset, hub.idAt(position));
    while (!signal.aborted && !hub.closed) {
      const page = await log.read(position, { filter, ...pageSize });
      if (page.earliest > position + 1) {
        const gap = trimmedGap(log.epoch, position, page.earliest);
        yield control("spillway.gap", gap, hub.idAt(page.earliest - 1));
      }
      for (const event of page.events) yield toJson(event, log.epoch, ids);
      position = page.scanned;
      if (page.events.length === 0) position = (await hub.beyond(position, signal, filter)) ?? position;
    }
  } finally {
    release();
  }
}

function control(event: string, data: object, id: string | undefined): DeliveredEvent {
  const time = new Date().toISOString();
  return { id: id ?? null, event, data: JSON.stringify(data), channel: null, upstreamId: null, time };
}
