import type { HttpRequest, OriginalRequest } from "../../http/message.ts";
import { closeSignal, onGone } from "../connections.ts";
import { splitTarget, type RequestHead } from "./request-head.ts";
import type { Arrival, RawConnection, RawResponse } from "./response.ts";

/**
 * A request without a body, as it was read without Node's HTTP. A class, because one is created per request: an object
 * literal with accessors and spread takes ten times as long.
 */
export class PlainRequest implements HttpRequest {
  readonly mount = "";
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly #head: RequestHead;
  readonly #connection: RawConnection;
  readonly #response: RawResponse;

  constructor({ connection, head }: Arrival, response: RawResponse) {
    const { path, query } = splitTarget(head.target);
    this.method = head.method;
    this.path = path;
    this.query = query;
    this.#head = head;
    this.#connection = connection;
    this.#response = response;
  }

  header(name: string): string | undefined {
    return this.#head.headers.get(name);
  }

  get secure(): boolean {
    return "encrypted" in this.#connection;
  }

  get address(): string | undefined {
    return this.#connection.remoteAddress;
  }

  async body(): Promise<Buffer> {
    return Buffer.alloc(0);
  }

  get signal(): AbortSignal {
    return closeSignal(this.#response, this.#connection.destroyed, this.#connection);
  }

  get original(): OriginalRequest {
    const { target, fields } = this.#head;
    const connection = this.#connection;
    const response = this.#response;
    return {
      version: "1.1",
      search: target.slice(this.path.length),
      headers: fields,
      hasBody: false,
      body: noChunks,
      onGone: (listener, halfClose) => watch(connection, response, halfClose, listener),
      inform(status, headers) {
        if (status === 103) response.inform(status, headers);
      },
    };
  }
}

/** Calls `listener` when the client has gone. One that has only ended its side then gets no response either. */
function watch(
  connection: RawConnection,
  response: RawResponse,
  halfClose: "leave" | "wait",
  listener: () => void,
): void {
  onGone(response, connection.destroyed, connection, halfClose, () => {
    listener();
    if (!response.isAnswered) connection.destroy();
  });
}

const noChunks: AsyncIterable<Uint8Array> = { async *[Symbol.asyncIterator]() {} };
