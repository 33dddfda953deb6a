import { request } from "node:http";
import { createParser } from "spillway/sse";

/** A client that reads a numbered stream through every break, resuming with the id it saw last, and checks that nothing is missing or twice. */
export interface NumberedClient {
  /** The last number it got. */
  readonly last: number;
  /** What it got that it should not have: a hole, a repetition, a control event that announces one. */
  readonly faults: readonly string[];
  /** Connections that reached the stream. */
  readonly connections: number;
  close(): void;
}

/** Follows a stream of events `{"n":1}`, `{"n":2}`, … from its beginning. Of several addresses each connection goes to the next one. */
export function startNumberedClient(...urls: readonly string[]): NumberedClient {
  const client = { last: 0, faults: [] as string[], connections: 0, close };
  let lastEventId = "";
  let attempts = 0;
  let closed = false;
  let current: ReturnType<typeof request> | undefined;

  function connect(): void {
    if (closed) return;
    const url = urls[attempts++ % urls.length]!;
    const target = lastEventId === "" ? `${url}?after=earliest` : url;
    const headers = { accept: "text/event-stream", ...(lastEventId === "" ? {} : { "last-event-id": lastEventId }) };
    let done = false;
    const again = (): void => {
      if (done) return;
      done = true;
      setTimeout(connect, 20);
    };
    current = request(target, { headers, agent: false }, (response) => {
      response.on("close", again).on("error", again);
      if (response.statusCode !== 200) {
        response.resume();
        return;
      }
      client.connections++;
      // Only events that arrived whole are counted: a parser per connection drops the half one at its end.
      const parser = createParser({ onEvent: take, lastEventId });
      response.on("data", (chunk: Buffer) => parser.push(chunk));
    });
    current.on("error", again).end();
  }

  function take({ event, data, id }: { event: string; data: string; id: string | undefined }): void {
    if (event === "spillway.gap" || event === "spillway.reset") client.faults.push(`${event} ${data}`);
    if (event === "connected" || event.startsWith("spillway.")) return;
    const { n } = JSON.parse(data) as { n: number };
    if (n !== client.last + 1) client.faults.push(`${n} after ${client.last}`);
    client.last = n;
    lastEventId = id ?? lastEventId;
  }

  function close(): void {
    closed = true;
    current?.destroy();
  }

  connect();
  return client;
}
