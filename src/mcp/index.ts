/** Resumable MCP servers: events of the Streamable HTTP transport in the log of a stream. */
import { SpillwayError } from "../errors.ts";
import type { Gateway } from "../gateway/gateway.ts";

/**
 * What `StreamableHTTPServerTransport` of the MCP TypeScript SDK takes as `eventStore`. A stream here is one of the
 * transport's SSE responses.
 */
export interface McpEventStore {
  /** Appends a message to a stream of the session. Resolves to its event id once it is durable. */
  storeEvent(streamId: string, message: object): Promise<string>;
  /** The stream of an event id; `undefined` if the id cannot be one of this store. */
  getStreamIdForEventId(eventId: string): Promise<string | undefined>;
  /**
   * Sends the stored messages of a stream that follow an event, in order, and resolves to the stream.
   * @throws {SpillwayError} `request-invalid` for an id that cannot be one of this store; `gap` if messages that follow may
   * have been removed.
   */
  replayEventsAfter(
    lastEventId: string,
    transport: { readonly send: (eventId: string, message: object) => Promise<void> },
  ): Promise<string>;
}

/** Separates the parts of event ids. It is in no cursor. */
const separator = "/";

/**
 * Makes the event store of one MCP session. All sessions can share one stream of the gateway: an event store replays
 * events of its own session only, whatever the client sends as `Last-Event-ID`.
 * @param stream a stream of the gateway that nothing else is published to
 * @param session the session's id, a secret that is not guessable, such as a random UUID
 * @throws {SpillwayError} `request-invalid` if the session has no id
 */
export function createEventStore(
  gateway: Pick<Gateway, "publish" | "subscribe">,
  stream: string,
  session: string,
): McpEventStore {
  if (session === "" || session.includes("*")) throw invalid("session", "an id without *");
  // Encoded, so that no session is the beginning of another one.
  const owner = encodeURIComponent(session);
  const channelOf = (streamId: string): string => `${owner}${separator}${streamId}`;
  return {
    async storeEvent(streamId, message) {
      const event = { event: "message", data: message, channel: channelOf(streamId) };
      const [id] = await gateway.publish(stream, event);
      return `${id}${separator}${streamId}`;
    },
    async getStreamIdForEventId(eventId) {
      return parse(eventId)?.streamId;
    },
    async replayEventsAfter(lastEventId, { send }) {
      const { cursor: after, streamId } = parse(lastEventId) ?? {};
      if (after === undefined || streamId === undefined) throw invalid("lastEventId", "the id of an event");
      const channels = [channelOf(streamId)];
      for await (const { id, event, data } of gateway.subscribe(stream, { after, channels, follow: false })) {
        if (event !== "message") throw new SpillwayError("gap", undefined, { field: "lastEventId" });
        // The transport stores an empty message to have an id at the start of a response.
        if (data !== "{}") await send(`${id}${separator}${streamId}`, JSON.parse(data) as object);
      }
      return streamId;
    },
  };
}

function parse(eventId: string): { readonly cursor: string; readonly streamId: string } | undefined {
  const at = eventId.indexOf(separator);
  const [cursor, streamId] = [eventId.slice(0, at), eventId.slice(at + 1)];
  // In a filter, `*` would stand for other streams.
  return at < 1 || streamId === "" || streamId.includes("*") ? undefined : { cursor, streamId };
}

function invalid(field: string, expected: string): SpillwayError {
  return new SpillwayError("request-invalid", `${field}: expected ${expected}`, { field, expected });
}
