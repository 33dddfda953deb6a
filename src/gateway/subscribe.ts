import { toJson, type DeliveredEvent } from "../hub/format.ts";
import { LogCursor } from "../hub/read-from.ts";
import { addConditions, narrow } from "../http/filter.ts";
import { findStart } from "../http/position.ts";
import type { ServedStream } from "../http/gateway-context.ts";
import type { Log, LogFilter } from "../log/log.ts";

export interface SubscribeOptions {
  /** An event's id, `earliest` or `now`. Default `now`. */
  readonly after?: string | undefined;
  /** Only events of these channels; `*` in a name matches any characters. */
  readonly channels?: readonly string[] | undefined;
  /** Only events of these types; `*` matches as in `channels`. */
  readonly events?: readonly string[] | undefined;
  /** Only events that match this filter expression. */
  readonly filter?: string | undefined;
  /** `false` ends the iteration after the last event that was stored when it began. Default `true`. */
  readonly follow?: boolean | undefined;
  /** Ends the iteration when it aborts. Closing the gateway ends it too. */
  readonly signal?: AbortSignal | undefined;
}

/** The limits of one read from the log. */
const pageSize = { limit: 256, maxBytes: 1024 * 1024 };

/**
 * Follows a stream inside the process. Gaps and resets arrive as `spillway.gap` and `spillway.reset` events, as over
 * HTTP.
 */
export async function* iterate(
  find: () => ServedStream | Promise<ServedStream>,
  {
    after,
    channels,
    events,
    filter: expression,
    follow = true,
    signal = new AbortController().signal,
  }: SubscribeOptions,
): AsyncGenerator<DeliveredEvent, void, undefined> {
  const stream = await find();
  const { log, hub, ids } = stream;
  const release = stream.hold();
  try {
    const where = expression === undefined ? [] : [await stream.filters.compile(expression)];
    const filter = addConditions(narrow({ channels, events }, {}), where);
    const start = await findStart({ after }, stream, { filter, granted: undefined, search: undefined });
    const end = follow ? Infinity : await findHead(log, filter);
    const cursor = new LogCursor(stream, start.position, { filter, ...pageSize });
    if (start.gap) yield control("spillway.gap", start.gap, hub.idAt(start.position));
    if (start.reset) yield control("spillway.reset", start.reset, hub.idAt(start.position));
    while (!signal.aborted && !hub.closed && cursor.position < end) {
      const page = await cursor.next();
      if (page.gap) yield control("spillway.gap", page.gap, hub.idAt(page.earliest - 1));
      for (const event of page.events) yield toJson(event, log.epoch, ids);
      if (page.events.length === 0 && follow) await cursor.wait(signal);
    }
  } finally {
    release();
  }
}

/** The last number in the store. Without a filter, it would be the last one that this node knows. */
async function findHead(log: Log, filter: LogFilter = {}): Promise<number> {
  return (await log.find({ last: 0, filter })) ?? 0;
}

function control(event: string, data: object, id: string | undefined): DeliveredEvent {
  const time = new Date().toISOString();
  return { id: id ?? null, event, data: JSON.stringify(data), channel: null, upstreamId: null, time };
}
