import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { eventually } from "./reader.ts";

/** The secret of the receivers. */
export const secret: string = `whsec_${Buffer.from("a receiver's secret, 32 bytes ok").toString("base64")}`;

/** A request that a receiver got. */
export interface Received {
  readonly id: string;
  readonly data: string;
  readonly headers: IncomingMessage["headers"];
  /** Whether the oracle accepts its signature. */
  readonly verified: boolean;
}

/** Answers a request; without a function the answer is 204. */
export type Answer = (response: ServerResponse, received: Received, request: IncomingMessage) => void;

/** An endpoint for webhooks, on a free port of 127.0.0.1. */
export interface Receiver {
  readonly url: string;
  readonly received: readonly Received[];
  /** The data of the requests, each webhook once, in the order of their first arrival. */
  data(): string[];
  /** Requests that are not answered yet, at most at the same time. */
  readonly most: number;
  /** Changes the answers. */
  answer: Answer;
  /** Waits until it has got this many requests. */
  count(requests: number): Promise<void>;
  close(): Promise<void>;
}

/** Starts a receiver. */
export async function startReceiver(answer: Answer = accept): Promise<Receiver> {
  const received: Received[] = [];
  const oracle = new Webhook(secret);
  let [open, most] = [0, 0];
  const server: Server = createServer((request, response) => {
    most = Math.max(most, ++open);
    response.once("close", () => open--);
    void read(request).then((data) => {
      const one = { id: String(request.headers["webhook-id"]), data, headers: request.headers, verified: false };
      received.push({ ...one, verified: isVerified(oracle, data, request.headers) });
      receiver.answer(response, one, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?to=billing`,
    received,
    data: () => [...new Map(received.map((one) => [one.id, one.data])).values()],
    get most() {
      return most;
    },
    answer,
    count: (requests) => eventually(() => received.length >= requests, `${requests} requests at the receiver`),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return receiver;
}

/** Answers 204. */
export function accept(response: ServerResponse): void {
  response.writeHead(204).end();
}

/** Answers with a status. */
export function status(code: number, headers: Readonly<Record<string, string>> = {}): Answer {
  return (response) => void response.writeHead(code, headers).end();
}

function isVerified(oracle: Webhook, data: string, headers: IncomingMessage["headers"]): boolean {
  try {
    oracle.verify(data, headers as Record<string, string>);
    return true;
  } catch {
    return false;
  }
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
