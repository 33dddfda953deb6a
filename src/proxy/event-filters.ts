import { reservedPrefix } from "../log/log.ts";
import { encodeEvent } from "../sse/index.ts";
import { toEvents, toTransformEvent, type EventFields } from "../transform/encode.ts";
import type { Transform, TransformContext } from "../transform/transform.ts";
import type { UpstreamEvent } from "../upstream/upstream.ts";
import { monotonicMs } from "../util/durations.ts";
import { withFields, type Logger } from "../util/logger.ts";
import { EventFilter } from "./events.ts";
import type { BodyFilter, FilterEnds } from "./exchange.ts";
import { RawHeartbeatFilter } from "./heartbeat.ts";
import { createIdleWatch } from "./idle-watch.ts";
import type { RouteOptions, TransformOptions } from "./options.ts";
import type { ResponseHead } from "./response-head.ts";

/** Makes the filter of a response; `undefined` for a body that passes as it is. */
export type CreateEventFilter = (
  head: ResponseHead,
  ends: FilterEnds,
  request: Pick<TransformContext, "path" | "subject">,
) => BodyFilter | undefined;

/** Makes what changes the event streams of a route; `undefined` for a route without a transform and heartbeats. */
export function createEventFilters(
  route: string,
  { heartbeat, transform: options }: Pick<RouteOptions, "heartbeat" | "transform">,
  transform: Transform | undefined,
  logger: Logger,
): CreateEventFilter | undefined {
  if (!transform && heartbeat === undefined) return undefined;
  const silence = heartbeat === undefined ? undefined : createIdleWatch(heartbeat);
  const { onError = "pass", module } = options ?? {};
  const warn = withPauses(withFields(logger, { module }).warn);
  const warnOfEncoding = withPauses(logger.warn.bind(logger));
  const onFailure = (error: unknown): void => warn(describe(error, module), "the transform failed for an event");
  return (head, ends, request) => {
    if (!head.isEventStream) return undefined;
    if (head.isEncoded) {
      warnOfEncoding({}, "an event stream is encoded (Content-Encoding) and passes unchanged");
      return undefined;
    }
    if (!transform) return new RawHeartbeatFilter(ends, silence);
    return new EventFilter(ends, silence, {
      transform,
      context: Object.freeze({ route, ...request }),
      onError,
      onFailure,
    });
  };
}

/** Changes the events of a response that clients share, once for all of them. Never fails. */
export type SharedTransform = (events: readonly UpstreamEvent[]) => Promise<readonly UpstreamEvent[]>;

/** Makes the transform of a response that clients share. */
export function createSharedTransform(
  route: string,
  path: string,
  { module, onError }: TransformOptions,
  transform: Transform,
  logger: Logger,
): SharedTransform {
  // Clients with different credentials may share it.
  const context = Object.freeze({ route, path, subject: "anonymous" });
  const warn = withPauses(withFields(logger, { module }).warn);

  async function change(event: UpstreamEvent): Promise<readonly UpstreamEvent[]> {
    try {
      const events = toEvents(await transform(toTransformEvent(event), context), event);
      events.forEach(assertStorable);
      return events;
    } catch (error) {
      warn(describe(error, module), "the transform failed for an event");
      return onError === "pass" ? [event] : [];
    }
  }

  return async (events) => {
    const changed: UpstreamEvent[] = [];
    for (const event of events) changed.push(...(await change(event)));
    return changed;
  };
}

/** @throws {SseError} `sse-field-invalid`. */
function assertStorable(event: EventFields): void {
  encodeEvent(event);
  if (event.event.startsWith(reservedPrefix))
    throw new TypeError(`types that begin with ${reservedPrefix} are reserved`);
}

/** How long a warning is not repeated, in ms. */
const pause = 60_000;

/** Logs the first of many equal warnings, and later how many there were in between. */
function withPauses(warn: Logger["warn"]): Logger["warn"] {
  let next = -Infinity;
  let omitted = 0;
  return (fields, message) => {
    const now = monotonicMs();
    if (now < next) return void omitted++;
    warn({ ...fields, ...(omitted > 0 && { omitted }) }, message);
    next = now + pause;
    omitted = 0;
  };
}

/** The kind of an error and the line of the module. Its message may quote the data of the event, as that of JSON.parse does. */
function describe(error: unknown, module: string | undefined): object {
  if (!(error instanceof Error)) return { error: typeof error };
  const start = module === undefined ? -1 : (error.stack?.indexOf(`${module}:`) ?? -1);
  const line = start === -1 ? undefined : /^:\d+/.exec(error.stack!.slice(start + module!.length))?.[0].slice(1);
  return { error: error.name, ...(line !== undefined && { line: Number(line) }) };
}
