import { encodeData } from "../events/check.ts";
import type { StreamDefinition } from "../events/definition.ts";
import type { ChannelOf, DataOf, InputsOf } from "../events/event.ts";
import { toEvent } from "../http/publish-body.ts";
import type { Clients, ConnectedClient } from "../http/clients.ts";
import type { DeliveredEvent } from "../hub/format.ts";
import type { ServedStream } from "../http/gateway-context.ts";
import type { SubscribeOptions } from "./subscribe.ts";

/** An event to publish. */
export interface EventInput {
  /** Text, or a value that is published as its JSON text. */
  readonly data: unknown;
  /** The type. Default `message`. */
  readonly event?: string | undefined;
  readonly channel?: string | undefined;
  /** The publisher's own id, stored as `upstreamId`. */
  readonly id?: string | undefined;
}

/** How events are published. */
export interface PublishOptions {
  /**
   * Makes a retry safe: for 24 hours a call with the same key and the same events appends nothing and resolves to the
   * ids of the first call. Keys of this method and of HTTP clients do not collide. Default: every call appends.
   */
  readonly idempotencyKey?: string | undefined;
}

/** The open subscriptions of a stream: streaming responses, not long polls. */
export interface Subscribers {
  readonly total: number;
  /** By the channel names and patterns in their filters. Clients without a channel filter count in `total` only. */
  readonly byChannel: Readonly<Record<string, number>>;
}

/**
 * A stream of a gateway, for programs that publish to it and know its clients. The type parameters are those of its
 * definition.
 */
export interface GatewayStream<
  Inputs = Readonly<Record<string, unknown>>,
  Channel extends string = string,
  Event = DeliveredEvent,
> extends EventPublisher<Inputs, StreamPublishOptions<Channel>> {
  readonly name: string;
  /**
   * Publishes to one channel. An event for a user is published to a channel of the user, such as `user:42`: clients that
   * may read the channel get it, also those that connect later and resume.
   */
  to(channel: Channel): EventPublisher<Inputs>;
  /**
   * Follows the stream inside the process.
   * @throws {SpillwayError} the iterator throws `filter-invalid`.
   */
  subscribe(options?: SubscribeOptions): AsyncIterable<Event>;
  /** The number of subscribers in this process, in total and by channel. */
  subscribers(): Subscribers;
  /**
   * The clients of the stream in all processes of the gateway, in the order in which they connected. They are requested
   * in pages during the iteration.
   * @throws {SpillwayError} `peer-timeout`: another process has not answered.
   */
  clients(match?: ClientMatch): AsyncIterable<ConnectedClient>;
  /**
   * Sends an event to one connection, in whichever process of the gateway it is. The event passes the client's filter,
   * has no id and is not stored: a client that disconnects does not get it later.
   * @param client the id from the event `connected`, a hook, or {@link GatewayStream.clients}
   * @returns whether the event was written to the connection; false if the client is not connected, or does not read
   * fast enough.
   * @throws {SpillwayError} `request-invalid`, `event-invalid`; `peer-timeout`: another process has not answered.
   */
  send<Type extends keyof Inputs & string>(client: string, event: Type, data: Inputs[Type]): Promise<boolean>;
}

/** A stream whose events have a definition. */
export type TypedStream<Definition extends StreamDefinition> = GatewayStream<
  InputsOf<Definition>,
  ChannelOf<Definition>,
  ReceivedEvent<Definition>
>;

/** A union over the types of a stream's events, to be narrowed by `event`. */
export type ReceivedEvent<Definition extends StreamDefinition> = {
  [Type in keyof DataOf<Definition> & string]: TypedEvent<Type, DataOf<Definition>[Type]>;
}[keyof DataOf<Definition> & string];

/** A received event with the data that its schema returns. */
export interface TypedEvent<Type extends string, Data> extends Omit<DeliveredEvent, "event" | "data"> {
  readonly event: Type;
  readonly data: Data;
  /** The exact text of the data. */
  readonly raw: string;
}

/** Publishes to a stream, or to one channel of it. */
export interface EventPublisher<Inputs, Options extends PublishOptions = ChannelPublishOptions> {
  /**
   * Appends an event to the stream, and resolves to its id once it is durable. A transform of the stream determines how
   * many events are appended, and thereby the number of ids.
   * @param data text, or a value that is published as its JSON text
   * @throws {SpillwayError} as `gateway.publish`
   */
  publish<Type extends keyof Inputs & string>(event: Type, data: Inputs[Type], options?: Options): Promise<string[]>;
}

/** How an event is published to a channel. */
export interface ChannelPublishOptions extends PublishOptions {
  /** The publisher's own id, stored as `upstreamId`. */
  readonly id?: string | undefined;
}

/** How an event is published to a stream. */
export interface StreamPublishOptions<Channel extends string = string> extends ChannelPublishOptions {
  /** Default: no channel. */
  readonly channel?: Channel | undefined;
}

/** Selects clients. Default: all. */
export interface ClientMatch {
  /** `anonymous`, `key:<name>`, `jwt:<sub>`, or the subject returned by `authorize`. */
  readonly subject?: string | undefined;
}

/** How many clients are requested at once. */
const pageSize = 500;

/** The gateway that the stream belongs to. */
interface StreamGateway {
  publish(stream: string, event: EventInput, options: PublishOptions): Promise<string[]>;
  subscribe(stream: string, options: SubscribeOptions | undefined): AsyncIterable<DeliveredEvent>;
  subscribers(stream: string): Subscribers;
}

/**
 * Creates the handle of a stream that exists.
 * @param served the stream; `undefined` for one that is made on demand, which has no definition
 * @param definition its definition, if the handle is typed
 */
export function createGatewayStream(
  name: string,
  gateway: StreamGateway,
  clients: Clients,
  served: () => ServedStream | undefined,
  definition?: StreamDefinition,
): GatewayStream {
  const encode = (value: unknown): unknown => (definition ? encodeData(value) : value);

  async function publish(event: string, data: unknown, options: StreamPublishOptions = {}): Promise<string[]> {
    const { idempotencyKey, channel, id } = options;
    return gateway.publish(name, { event, data: encode(data), channel, id }, { idempotencyKey });
  }

  async function* list(match: ClientMatch): AsyncGenerator<ConnectedClient, void, undefined> {
    for (let after: string | null | undefined; after !== null;) {
      const page = await clients.list({ stream: name, subject: match.subject, after, limit: pageSize });
      yield* page.clients;
      after = page.next;
    }
  }

  return {
    name,
    publish,
    to: (channel) => ({ publish: (event, data, options) => publish(event, data, { ...options, channel }) }),
    subscribe(options) {
      const events = gateway.subscribe(name, options);
      // The types of the events are those of `TypedStream`.
      return definition
        ? (decode(definition, events) as AsyncIterable<unknown> as AsyncIterable<DeliveredEvent>)
        : events;
    },
    subscribers: () => gateway.subscribers(name),
    clients: (match = {}) => list(match),
    async send(client, event, data) {
      const checked = toEvent({ event, data: encode(data) }, "event", "gateway");
      await served()?.assertValid(checked);
      const outcome = await clients.send({ client, stream: name, event: checked.event, data: checked.data });
      return outcome === "delivered";
    },
  };
}

/** The events with the data that their schemas return. */
async function* decode(
  definition: StreamDefinition,
  events: AsyncIterable<DeliveredEvent>,
): AsyncGenerator<TypedEvent<string, unknown>, void, undefined> {
  for await (const event of events) yield { ...event, ...(await definition.decode(event)), raw: event.data };
}
