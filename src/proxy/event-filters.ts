import { describeError } from "../transform/run.ts";
import type { RouteTransformContext, Transform } from "../transform/transform.ts";
import { withFields, withPauses, type Logger } from "../util/logger.ts";
import { EventFilter } from "./events.ts";
import type { BodyFilter, FilterEnds } from "./exchange.ts";
import { RawHeartbeatFilter } from "./heartbeat.ts";
import { createIdleWatch } from "./idle-watch.ts";
import type { RouteOptions } from "./options.ts";
import type { ResponseHead } from "./response-head.ts";

/** Makes the filter of a response; `undefined` for a body that passes as it is. */
export type CreateEventFilter = (
  head: ResponseHead,
  ends: FilterEnds,
  request: Pick<RouteTransformContext, "path" | "subject">,
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
  const onFailure = (error: unknown): void => warn(describeError(error, module), "the transform failed for an event");
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
