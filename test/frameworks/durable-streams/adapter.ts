import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import type { DeliveredEvent, Gateway } from "../../../src/index.ts";
import { encodeEvent } from "../../../src/sse/index.ts";
import { portOf } from "../../support/ports.ts";

/**
 * The Durable Streams protocol over a gateway: as much of it as is Spillway's own. A stream is one that the gateway makes on
 * demand, a message is an event, an offset is a cursor, a retried append is one with the same `Idempotency-Key`. There is no
 * state here: what kind of stream it is, is the first event of its log.
 */
export async function startAdapter(gateway: Gateway): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const exchange = new Exchange(gateway, request, response);
    Promise.resolve(exchange)
      .then(answer)
      .catch((error: unknown) => {
        const { status = 500, headers = {} } = error as Partial<Refusal>;
        if (!response.headersSent) response.writeHead(status, headers);
        response.end();
      });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** How long a long poll waits, in s. */
const longPollTime = 2;

class Refusal extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, headers: Readonly<Record<string, string>> = {}) {
    super(`${status}`);
    this.status = status;
    this.headers = headers;
  }
}

/** A page of a stream, as `GET /streams/<name>` answers it. */
interface Page {
  readonly events: readonly DeliveredEvent[];
  readonly next: string;
}

/** A request, and the gateway's stream for its URL. */
class Exchange {
  readonly gateway: Gateway;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  readonly path: string;
  readonly stream: string;

  constructor(gateway: Gateway, request: IncomingMessage, response: ServerResponse) {
    const { pathname, searchParams } = new URL(request.url!, "http://adapter");
    this.gateway = gateway;
    this.request = request;
    this.response = response;
    this.query = searchParams;
    this.path = pathname;
    this.stream = `ds-${createHash("sha256").update(pathname).digest("hex").slice(0, 40)}`;
  }

  header(name: string): string | undefined {
    return this.request.headers[name] as string | undefined;
  }

  /** One page of events of a type. Without a position it is empty, and `next` is the head. */
  async read(event: "created" | "data", position: Readonly<Record<string, string>> = {}): Promise<Page> {
    const query = new URLSearchParams({ "events": event, "limit": "1000", "on-gap": "fail", ...position });
    const response = await this.#ask(`?${query}`, { headers: { accept: "application/json" } });
    return (await response.json()) as Page;
  }

  async head(): Promise<string> {
    return (await this.read("data")).next;
  }

  /** Publishes the events, or finds out that this was done with the same key before. */
  async publish(events: readonly object[], key?: string): Promise<{ readonly id: string; readonly replayed: boolean }> {
    const headers = { "content-type": "application/json", ...(key !== undefined && { "idempotency-key": key }) };
    const response = await this.#ask("/events", { method: "POST", headers, body: JSON.stringify(events) });
    const { ids } = (await response.json()) as { readonly ids: readonly string[] };
    return { id: ids.at(-1)!, replayed: response.headers.has("idempotency-replayed") };
  }

  /** The media type of the stream. */
  async contentType(): Promise<string> {
    const [created] = (await this.read("created", { after: "earliest", limit: "1" })).events;
    if (!created) throw new Refusal(404);
    return created.data;
  }

  send(status: number, headers: Readonly<Record<string, string>>, body?: string | Buffer): void {
    this.response.writeHead(status, headers).end(body);
  }

  async #ask(path: string, init: RequestInit): Promise<Response> {
    const response = await this.gateway.fetch(new Request(`http://gateway/streams/${this.stream}${path}`, init));
    // 422: the key was used for something else.
    if (!response.ok) throw new Refusal(response.status === 422 ? 409 : response.status);
    return response;
  }
}

function answer(exchange: Exchange): Promise<void> {
  const methods: Readonly<Record<string, typeof answer>> = { PUT: create, POST: append, HEAD: describe, GET: read };
  const handle = methods[exchange.request.method!];
  if (!handle) throw new Refusal(405);
  return handle(exchange);
}

async function describe(exchange: Exchange): Promise<void> {
  const type = await exchange.contentType();
  const next = toOffset(await exchange.head());
  exchange.send(200, { "content-type": type, "cache-control": "no-store", "stream-next-offset": next });
}

/** The first one makes the stream. One like it finds the same event, and another one is a conflict. */
async function create(exchange: Exchange): Promise<void> {
  const type = exchange.header("content-type") ?? "application/octet-stream";
  const body = await buffer(exchange.request);
  const messages = body.length > 0 ? toMessages(type, body) : [];
  const { id, replayed } = await exchange.publish([{ event: "created", data: mediaTypeOf(type) }], "create");
  let last = id;
  if (replayed) last = await exchange.head();
  else if (messages.length > 0) last = (await exchange.publish(messages)).id;
  const location = `http://${exchange.header("host")}${exchange.path}`;
  const headers = { "content-type": mediaTypeOf(type), "stream-next-offset": toOffset(last), location };
  exchange.send(replayed ? 200 : 201, headers);
}

async function append(exchange: Exchange): Promise<void> {
  const body = await buffer(exchange.request);
  const type = exchange.header("content-type");
  const expected = await exchange.contentType();
  if (type === undefined || body.length === 0) throw new Refusal(400);
  if (mediaTypeOf(type) !== expected) throw new Refusal(409);
  const messages = toMessages(type, body);
  if (messages.length === 0) throw new Refusal(400);
  const producer = ["id", "epoch", "seq"].map((part) => exchange.header(`producer-${part}`));
  const isProducer = producer.every((part) => part !== undefined);
  const key = isProducer ? createHash("sha256").update(producer.join("\0")).digest("base64url") : undefined;
  const { id, replayed } = await exchange.publish(messages, key);
  exchange.send(isProducer && !replayed ? 200 : 204, {
    "stream-next-offset": toOffset(id),
    ...(isProducer && { "producer-epoch": producer[1]!, "producer-seq": producer[2]! }),
  });
}

async function read(exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const offset = query.get("offset") ?? undefined;
  const live = query.get("live") ?? undefined;
  if (live !== undefined && offset === undefined) throw new Refusal(400);
  const position = toPosition(offset);
  const type = await exchange.contentType();
  if (live === "sse") return follow(exchange, type, position);
  const wait = live === "long-poll" ? { wait: String(longPollTime) } : {};
  // Without a position the gateway waits at the head, which is what `now` means.
  const { events, next } = await exchange.read("data", { ...position, ...wait });
  const isAtHead = next === (await exchange.head());
  const headers = {
    "content-type": type,
    "stream-next-offset": toOffset(next),
    "etag": `"${offset ?? "-1"}:${toOffset(next)}"`,
    "cache-control": offset === "now" ? "no-store" : "private, max-age=60, stale-while-revalidate=300",
    ...(isAtHead && { "stream-up-to-date": "true" }),
  };
  if (live !== undefined && events.length === 0) exchange.send(204, headers);
  else exchange.send(200, headers, toBody(type, events));
}

/** What is in the log comes page by page, and what is appended from then on by a subscription. */
async function follow(exchange: Exchange, type: string, position: Readonly<Record<string, string>>): Promise<void> {
  const { gateway, stream, response } = exchange;
  const isText = type === jsonType || type.startsWith("text/");
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
    ...(!isText && { "stream-sse-data-encoding": "base64" }),
  });
  const send = async (events: readonly DeliveredEvent[], next: string): Promise<boolean> => {
    const upToDate = next === (await exchange.head());
    const body = toBody(type, events);
    const data = isText ? body.toString() : body.toString("base64");
    if (events.length > 0) response.write(encodeEvent({ event: "data", data }));
    const control = { streamNextOffset: toOffset(next), ...(upToDate && { upToDate }) };
    response.write(encodeEvent({ event: "control", data: JSON.stringify(control) }));
    return upToDate;
  };
  let page = await exchange.read("data", position);
  while (!(await send(page.events, page.next))) page = await exchange.read("data", { after: page.next });
  const events = gateway.subscribe(stream, { after: page.next, events: ["data"], signal: gone.signal });
  for await (const event of events) await send([event], event.id!);
  response.end();
}

const jsonType = "application/json";

function mediaTypeOf(contentType: string): string {
  return contentType.split(";")[0]!.trim().toLowerCase();
}

/** The messages of a body. An event is text, so that other bytes are in Base64. */
function toMessages(contentType: string, body: Buffer): { readonly event: "data"; readonly data: string }[] {
  if (mediaTypeOf(contentType) !== jsonType) return [{ event: "data", data: body.toString("base64") }];
  try {
    const value = JSON.parse(body.toString()) as unknown;
    return (Array.isArray(value) ? value : [value]).map((each) => ({ event: "data", data: JSON.stringify(each) }));
  } catch {
    throw new Refusal(400);
  }
}

function toBody(type: string, events: readonly DeliveredEvent[]): Buffer {
  if (type === jsonType) return Buffer.from(`[${events.map(({ data }) => data).join(",")}]`);
  return Buffer.concat(events.map(({ data }) => Buffer.from(data, "base64")));
}

/** An offset is a cursor whose number is padded, so that offsets sort as texts, with the epoch before it. */
function toOffset(cursor: string): string {
  const [epoch, seq] = cursor.split(".") as [string, string];
  return `${epoch}_${seq.padStart(16, "0")}`;
}

function toPosition(offset: string | undefined): Readonly<Record<string, string>> {
  if (offset === undefined || offset === "-1") return { after: "earliest" };
  if (offset === "now") return {};
  const [, epoch, seq] = /^([a-z0-9]{1,16})_(\d{16})$/.exec(offset) ?? [];
  if (epoch === undefined) throw new Refusal(400);
  return { after: `${epoch}.${Number(seq)}` };
}
