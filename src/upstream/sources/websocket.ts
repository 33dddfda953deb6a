import type { ClientOptions, WebSocket } from "ws";
import type { BlockEvent } from "../batcher.ts";
import { askHeaders, statusFailure, within } from "../connect.ts";
import { UpstreamFailure } from "../failure.ts";
import { sendable, withParameter } from "../request.ts";
import type { Attempt, Source } from "../source.ts";
import type { UpstreamOptions, WebSocketOptions } from "../upstream.ts";
import { createResumedBatches } from "./resumed-batches.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import { createBlocks, createMapper, type Mapper } from "./mapping.ts";

/** The part of the package `ws` that is used. */
export interface WebSocketDriver {
  readonly WebSocket: new (url: string, protocols: string[], options: ClientOptions) => WebSocket;
}

/** Bytes of one message. Only a binary one may have to be encoded. */
interface Message {
  readonly bytes: Uint8Array;
  readonly binary: boolean;
}

/** An open WebSocket with what it has received. */
interface Open {
  readonly socket: WebSocket;
  readonly inbox: Inbox<Message>;
}

/** Creates a source that reads the messages of a WebSocket (RFC 6455). */
export function createWebSocketSource(
  driver: WebSocketDriver,
  options: UpstreamOptions,
  { send, subprotocols, ping }: WebSocketOptions,
): Source {
  const { resume, timeouts } = options;
  const mapper = createMapper(options.mapping);
  const batches = createResumedBatches();

  /** The message that makes the source resume, or start at the configured position. */
  function resumeMessage(cursor: string | undefined): string | undefined {
    if (typeof resume !== "object" || !("message" in resume)) return undefined;
    const id = cursor ?? resume.initial;
    return id === undefined ? undefined : resume.message.replaceAll("{id}", () => JSON.stringify(id).slice(1, -1));
  }

  function addressOf(url: string, cursor: string | undefined): string {
    if (typeof resume !== "object" || !("query" in resume)) return url;
    const id = cursor ?? resume.initial;
    return id === undefined ? url : withParameter(new URL(url), resume.query, id).href;
  }

  async function* messages({ socket, inbox }: Open, signal: AbortSignal): AsyncGenerator<readonly Message[]> {
    const stopWatching = watch(socket, inbox, ping, timeouts.idle);
    try {
      for await (const taken of inbox.take(signal)) {
        yield taken;
        if (inbox.size === 0) socket.resume();
      }
    } finally {
      stopWatching();
    }
  }

  return {
    async open({ url }, attempt) {
      const { signal, history } = attempt;
      const cursor = sendable(history.cursor(), resume);
      const opened = await connect(driver, addressOf(url, cursor), options, subprotocols, signal);
      for (const message of send) opened.socket.send(message);
      const last = resumeMessage(cursor);
      if (last !== undefined) opened.socket.send(last);
      return {
        resumed: cursor !== undefined,
        batches: batches(
          messages(opened, signal),
          { cursor, outcome: undefined, createDecoder: decoder(mapper, attempt) },
          attempt,
        ),
        close: () => opened.socket.terminate(),
      };
    },
    async probe({ url }, signal) {
      const { socket } = await connect(driver, addressOf(url, undefined), options, subprotocols, signal);
      socket.terminate();
      return "available";
    },
  };
}

/** Opens a WebSocket. Its messages wait in the inbox from the start. */
async function connect(
  { WebSocket: Socket }: WebSocketDriver,
  url: string,
  options: UpstreamOptions,
  subprotocols: readonly string[],
  signal: AbortSignal,
): Promise<Open> {
  const { timeouts, maxEventBytes, tls } = options;
  const late = (): Error => new UpstreamFailure("upstream-timeout");
  const headers = await within(askHeaders(options.headers), timeouts.headers, signal, late);
  const socket = new Socket(url, [...subprotocols], {
    ...tls,
    headers,
    maxPayload: maxEventBytes,
    handshakeTimeout: timeouts.headers,
    perMessageDeflate: false,
  });
  const inbox = createInbox<Message>();
  const opened = new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.on("error", (error) => {
      const failure = failureOf(error);
      inbox.end(failure);
      reject(failure);
    });
    socket.once("unexpected-response", (_request, response) => {
      reject(statusFailure(response.statusCode ?? 0, response.headers["retry-after"]));
      socket.terminate();
    });
  });
  socket.on("message", (data: Buffer, binary) => {
    inbox.push({ bytes: data, binary });
    // One chunk of the connection may contain further messages; they follow despite this.
    socket.pause();
  });
  socket.once("close", (code) => {
    inbox.end(
      code === 1000 || code === 1001 ? undefined : new UpstreamFailure("upstream-ended", { reason: `WS_${code}` }),
    );
  });
  try {
    await within(opened, timeouts.headers, signal, late);
  } catch (error) {
    socket.terminate();
    throw error;
  }
  return { socket, inbox };
}

/** Sends pings, and ends a connection on which nothing arrives, not even a pong, for `idle` ms. */
function watch(socket: WebSocket, inbox: Inbox<Message>, ping: number, idle: number): () => void {
  const watchdog = setTimeout(() => {
    // While the log is slow, nothing is read, so silence means nothing.
    if (socket.isPaused) return void watchdog.refresh();
    inbox.end(new UpstreamFailure("upstream-timeout"));
    socket.terminate();
  }, idle);
  const pings = setInterval(() => socket.ping(), ping);
  const alive = (): void => void watchdog.refresh();
  socket.on("message", alive).on("ping", alive).on("pong", alive);
  return () => {
    clearTimeout(watchdog);
    clearInterval(pings);
  };
}

function decoder(mapper: Mapper, attempt: Attempt) {
  return (first: string, onBlock: (block: BlockEvent) => void): { push(messages: readonly Message[]): void } => {
    const pass = createBlocks(attempt, first, onBlock);
    return {
      push(messages) {
        for (const { bytes, binary } of messages) pass(mapper.ofBytes(bytes, binary));
      },
    };
  };
}

function failureOf(error: Error & { code?: string }): Error {
  if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") return new UpstreamFailure("upstream-message-too-large");
  return error;
}
