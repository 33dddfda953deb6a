import { randomUUID } from "node:crypto";
import type { Exchange, ExchangeRequest } from "./exchange.ts";
import { openExchange, openSocket } from "./open-exchange.ts";
import { parseJsonObject } from "../util/json-object.ts";

/** What the requests have in common. */
export interface PathRequests {
  readonly url: URL;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** How long each step may take, in ms. */
  readonly timeout: number;
}

/** A request for the stream. A user and password in the URL become Basic credentials. */
export function streamRequest(
  { url, headers, timeout }: PathRequests,
  encodings = "identity",
): Omit<ExchangeRequest, "method"> {
  const own = { "accept": "text/event-stream", "accept-encoding": encodings, "cache-control": "no-cache" };
  return { url, headers: { ...own, ...basicCredentials(url), ...headers }, connectTimeout: timeout };
}

/** The same stream with every event that is held. */
export function fromTheBeginning(url: URL): URL {
  return startingAt(url, "earliest");
}

/** When the server logged the events behind a cursor, in ms since 1970, by their ids; what it cannot say is missing. */
export async function askTimes(requests: PathRequests, cursor: string): Promise<ReadonlyMap<string, number>> {
  const url = startingAt(requests.url, cursor);
  url.searchParams.set("limit", "1000");
  const request = streamRequest({ ...requests, url });
  const headers = { ...request.headers, accept: "application/json" };
  const { events } = (await ask({ ...request, headers, method: "GET" }, requests.timeout)).json;
  const list = Array.isArray(events) ? (events as Record<string, unknown>[]) : [];
  return new Map(list.map(({ id, time }) => [String(id), Date.parse(String(time))]));
}

/** What serves HTTP/1.1 at the gateway's own address; `undefined` where the credentials do not open `/status`. */
export async function askListener(requests: PathRequests): Promise<string | undefined> {
  const request = streamRequest({ ...requests, url: beside(requests.url, "status") });
  const headers = { ...request.headers, accept: "application/json" };
  const { listener } = (await ask({ ...request, headers, method: "GET" }, requests.timeout)).json;
  return typeof listener === "string" ? listener : undefined;
}

/**
 * Publishes one event to the stream of a name at the same server.
 * @returns its id, or what was answered instead
 */
export async function publishProbe(
  requests: PathRequests,
  stream: string,
  key: string | undefined,
): Promise<{ readonly id: string } | { readonly problem: string }> {
  const request = streamRequest({ ...requests, url: beside(requests.url, `streams/${stream}/events`) });
  const credential = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const headers = { ...request.headers, "accept": "*/*", ...credential, "content-type": "application/json" };
  // With an id of its own, for a stream may pass on no others.
  const event = { ...passing(requests.url), id: `doctor-${randomUUID()}`, data: "sent by spillway doctor" };
  const body = JSON.stringify(event);
  const { status, json } = await ask({ ...request, headers, method: "POST", body }, requests.timeout);
  const id: unknown = Array.isArray(json["ids"]) ? json["ids"][0] : undefined;
  if (typeof id === "string") return { id };
  const code = typeof json["code"] === "string" ? ` ${json["code"]}` : "";
  return { problem: status === undefined ? "no answer" : `status ${status}${code}` };
}

/** Another resource of the gateway that serves a stream. */
function beside(stream: URL, path: string): URL {
  const url = new URL(stream);
  url.pathname = `${url.pathname.replace(/\/(streams\/.*|api\/sse\/?)$/, "")}/${path}`;
  url.search = "";
  return url;
}

/** More is not needed to know a server by its words, in bytes. */
const enough = 4_096;

/**
 * What the first server that reads HTTP answers to a request with a malformed header line. Servers refuse it by themselves and
 * in words of their own, also those that leave no trace in what they pass on.
 * @returns the answer, shortened; `""` where none came in time
 */
export async function askForRefusal(url: URL, timeout: number): Promise<string> {
  const socket = await openSocket(url, ["http/1.1"], timeout).catch(() => undefined);
  if (!socket) return "";
  return new Promise((resolve) => {
    let answer = "";
    const settle = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer.slice(0, enough));
    };
    const timer = setTimeout(settle, timeout);
    socket.on("data", (piece: Buffer) => {
      answer += piece.toString("latin1");
      if (answer.length >= enough) settle();
    });
    socket.once("close", settle);
    // A server may take the end of what is sent for a client that has gone, so this side stays open.
    socket.write(`GET / HTTP/1.1\r\nHost: ${url.host}\r\nmalformed header\r\n\r\n`);
  });
}

/** A type and a channel that pass the filter of the stream's URL. */
function passing({ pathname, searchParams }: URL): { readonly event: string; readonly channel: string | undefined } {
  const [, segment] = /\/streams\/[^/]+\/([^/]+)\/?$/.exec(pathname) ?? [];
  const first = (name: string): string | undefined => searchParams.get(name)?.split(",")[0] || undefined;
  return {
    event: first("events") ?? "doctor",
    channel: first("channels") ?? (segment === undefined ? undefined : decodeURIComponent(segment)),
  };
}

interface Answer {
  readonly status: number | undefined;
  readonly json: Readonly<Record<string, unknown>>;
}

async function ask(request: Omit<ExchangeRequest, "onPiece">, timeout: number): Promise<Answer> {
  const pieces: Buffer[] = [];
  const exchange: Exchange = openExchange({ ...request, onPiece: (piece) => pieces.push(piece) });
  await exchange.until(() => exchange.end !== undefined, timeout);
  exchange.close();
  return { status: exchange.head?.status, json: parseJsonObject(Buffer.concat(pieces).toString()) };
}

/** A start position of the user's own would win over another one. */
function startingAt(url: URL, position: string): URL {
  const result = new URL(url);
  for (const name of ["last-event-id", "last", "since"]) result.searchParams.delete(name);
  result.searchParams.set("after", position);
  return result;
}

function basicCredentials({ username, password }: URL): Record<string, string> {
  if (!username && !password) return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}
