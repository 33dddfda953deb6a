import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { createParser, SseError, type Parser } from "../sse/index.ts";
import { headerOf, type Exchange, type ExchangeRequest } from "./exchange.ts";
import { openExchange } from "./open-exchange.ts";
import { parseJsonObject } from "../util/json-object.ts";

/** An event or a comment, with the time of its last byte, in ms since the request was begun. */
export interface Arrival {
  readonly at: number;
  /** The event's type; `undefined` for a comment, which is how heartbeats come. */
  readonly event: string | undefined;
  readonly id: string | undefined;
  /** Kept for a Spillway's own events alone; else `""`. */
  readonly data: string;
}

/** One request for an event stream, and what has come of it so far. */
export interface StreamProbe extends Exchange {
  /** In order; the first {@link mostArrivals}. */
  readonly arrivals: readonly Arrival[];
}

/** Enough to judge by; the rest of a busy stream is read and forgotten. */
const mostArrivals = 10_000;

/** Asks for the stream and reads it, compressed or not. */
export function openStreamProbe(request: Omit<ExchangeRequest, "method" | "onPiece">): StreamProbe {
  const arrivals: Arrival[] = [];
  let read: ((piece: Buffer) => void) | undefined;
  const exchange = openExchange({
    ...request,
    method: "GET",
    onPiece(piece) {
      read ??= decoded(headerOf(exchange.head, "content-encoding"), reader(exchange, arrivals));
      read(piece);
    },
  });
  return Object.assign(exchange, { arrivals });
}

/** The data of the first event, which is a Spillway's own greeting if it has its members; else `undefined`. */
export function greetingOf({ arrivals }: StreamProbe): Readonly<Record<string, string>> | undefined {
  const first = arrivals.find(({ event }) => event !== undefined);
  if (first?.event !== "connected") return undefined;
  const greeting = parseJsonObject<string>(first.data);
  return typeof greeting["cursor"] === "string" && typeof greeting["stream"] === "string" ? greeting : undefined;
}

/** Why the server said goodbye; `undefined` where it did not. */
export function goodbyeOf({ arrivals }: StreamProbe): string | undefined {
  const bye = arrivals.find(({ event }) => event === "spillway.bye");
  return bye && (parseJsonObject<string>(bye.data)["reason"] ?? "no reason");
}

function reader(exchange: Exchange, arrivals: Arrival[]): (piece: Buffer) => void {
  const add = (event: string | undefined, id: string | undefined, data: string): void => {
    if (arrivals.length >= mostArrivals) return;
    const own = event === "connected" || event?.startsWith("spillway.") === true;
    arrivals.push({ at: exchange.now(), event, id, data: own ? data : "" });
    // What was unpacked comes later than the piece that it was in.
    exchange.notify();
  };
  const parser: Parser = createParser({
    onEvent: ({ event, id, data }) => add(event, id, data),
    onComment: () => add(undefined, undefined, ""),
  });
  return (piece) => {
    try {
      parser.push(piece);
    } catch (error) {
      if (!(error instanceof SseError)) throw error;
    }
  };
}

/** Undoes a Content-Encoding piece by piece; bytes in one that is not known here are not read. */
function decoded(encoding: string | undefined, read: (piece: Buffer) => void): (piece: Buffer) => void {
  const name = encoding?.trim().toLowerCase() ?? "identity";
  if (name === "identity") return read;
  const create = {
    "gzip": createGunzip,
    "x-gzip": createGunzip,
    "deflate": createInflate,
    "br": createBrotliDecompress,
  };
  const decoder = Object.hasOwn(create, name) ? create[name as keyof typeof create]() : undefined;
  decoder?.on("data", read).on("error", () => {});
  return (piece) => void decoder?.write(piece);
}
