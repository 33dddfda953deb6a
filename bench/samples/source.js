/** What the sample servers share: one connection to the origin, its events one by one, and the word that they are ready. */
import { createParser } from "eventsource-parser";
import { request } from "undici";

const [, , origin = ""] = process.argv;

/**
 * Calls back for every event of the origin, with the channel that its data names, if any.
 * @param {(event: { id: string, data: string, channel: string }) => void} onEvent
 */
export async function followOrigin(onEvent) {
  const { body } = await request(origin, { headers: { accept: "text/event-stream" }, bodyTimeout: 0 });
  const parser = createParser({
    onEvent: ({ id = "", data }) => onEvent({ id, data, channel: JSON.parse(data).c ?? "" }),
  });
  const decoder = new TextDecoder();
  body.on("data", (chunk) => parser.feed(decoder.decode(chunk, { stream: true })));
}

/** @param {number} port */
export function tellReady(port) {
  console.log(`http://127.0.0.1:${port}`);
}

/** Where the origin is, for those who pass its connections on. */
export const originUrl = origin;

/** As large as the system allows. */
export const backlog = 65_535;

process.once("SIGTERM", () => process.exit(0));
// Whoever started this is gone.
process.stdin.once("end", () => process.exit(0)).resume();

/**
 * Clients by channel; "" is the channel of those who named none.
 * @template T
 */
export class Clients {
  /** @type {Map<string, Set<T>>} */
  #byChannel = new Map();

  /** @param {string} channel @param {T} client */
  add(channel, client) {
    const clients = this.#byChannel.get(channel) ?? new Set();
    clients.add(client);
    this.#byChannel.set(channel, clients);
  }

  /** @param {string} channel @param {T} client */
  remove(channel, client) {
    this.#byChannel.get(channel)?.delete(client);
  }

  /** @param {string} channel @returns {Iterable<T>} */
  of(channel) {
    return this.#byChannel.get(channel) ?? [];
  }
}
