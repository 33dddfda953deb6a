/** An event of a target, for a transform. */
export interface TransformEvent {
  /** The type; `message` if the event has none. */
  readonly event: string;
  /** The data as text; several `data` lines are joined by LF. */
  readonly data: string;
  /** The event's own id; `undefined` if it has none. */
  readonly id: string | undefined;
  /** Parses the data as JSON. `undefined` if it is not JSON. */
  json(): unknown;
}

/** An event that replaces the one of the target. Fields that are left out stay as they were. */
export interface TransformedEvent {
  readonly event?: string | undefined;
  /** Text, or a value that is sent as its JSON text. */
  readonly data?: unknown;
  /** Several results share the id of the original: only the last one gets it, so that a resumed client misses none. */
  readonly id?: string | undefined;
}

/** The response that an event belongs to. All its events get the same object, which can be the key of a `WeakMap`. */
export interface TransformContext {
  /** The path pattern of the route. */
  readonly route: string;
  /** The path of the request, as the client sent it. */
  readonly path: string;
  /** The subject of the client's credential; `anonymous` without one. */
  readonly subject: string;
}

/** An event, several, or none: the client then gets nothing but the original's id. */
export type TransformResult = TransformedEvent | readonly TransformedEvent[] | null | undefined | void;

/**
 * Changes the events of a route; the default export of its `transform` module. A promise delays the later events of the
 * same response, whose order is kept.
 */
export type Transform = (
  event: TransformEvent,
  context: TransformContext,
) => TransformResult | Promise<TransformResult>;
