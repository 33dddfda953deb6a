/** An event, for a transform. `Data` is the type of its data, if the data is JSON. It is not checked. */
export interface TransformEvent<Data = unknown> {
  /** The type; `message` if the event has none. */
  readonly event: string;
  /** The data as text; several `data` lines are joined by LF. */
  readonly data: string;
  /** The event's own id; `undefined` if it has none. */
  readonly id: string | undefined;
  /** The channel; `undefined` if it has none, and on a route. */
  readonly channel: string | undefined;
  /** Parses the data as JSON; `undefined` if it is not JSON. */
  json(): Data | undefined;
}

/** An event that replaces the received one. Fields that are left out stay as they were. Other fields are an error. */
export interface TransformedEvent {
  readonly event?: string | undefined;
  /** Text, or a value that is sent as its JSON text. */
  readonly data?: unknown;
  /**
   * Several results share the id of the original: only the last one gets it, so that a resumed client misses none. A
   * stream ignores another id, because it recognizes events that its source repeats by theirs.
   */
  readonly id?: string | undefined;
  /** `null` for none. A route ignores it. */
  readonly channel?: string | null | undefined;
}

/** The response of a route that an event belongs to. */
export interface RouteTransformContext {
  /** The path pattern of the route. */
  readonly route: string;
  /** The path of the request, as the client sent it. */
  readonly path: string;
  /** The subject of the client's credential; `anonymous` without one, and if clients share the response. */
  readonly subject: string;
  readonly stream?: undefined;
  readonly published?: undefined;
}

/** The stream that an event belongs to. */
export interface StreamTransformContext {
  /** The name of the stream. */
  readonly stream: string;
  /** Whether the event was published, and did not come from the upstream. */
  readonly published: boolean;
  readonly route?: undefined;
  readonly path?: undefined;
  readonly subject?: undefined;
}

/**
 * What an event belongs to. All events of a response, and all published or all ingested events of a stream, get the same
 * object, which can be the key of a `WeakMap`.
 */
export type TransformContext = RouteTransformContext | StreamTransformContext;

/** An event, several, or none. */
export type TransformResult = TransformedEvent | readonly TransformedEvent[] | null | undefined | void;

/**
 * Changes the events of a route or of a stream; the default export of its `transform` module. A promise delays the later
 * events, whose order is kept. `Data` is the type that {@link TransformEvent.json} returns.
 */
export type Transform<Data = unknown> = (
  event: TransformEvent<Data>,
  context: TransformContext,
) => TransformResult | Promise<TransformResult>;
