import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { createParser } from "spillway/sse";
import { expect } from "vitest";
import { eventually } from "./reader.ts";

/** Publishers and readers that come to streams made on demand and leave them again, and a record of what they got. */
export interface RoomTraffic {
  /** Starts to use the rooms, each in rounds of use and disuse. */
  start(): void;
  /** How many logs have taken the place of removed ones, by the ids that publishers got. */
  removals(): number;
  /** Ends the rounds, and checks that nothing was lost, doubled, or withheld without a word. */
  finish(): Promise<void>;
}

export interface RoomTrafficOptions {
  /** The base URLs of the nodes, any of which may be asked. */
  readonly urls: readonly string[];
  readonly rooms: number;
  /** How long the streams are kept that nobody uses, in ms. */
  readonly idle: number;
  /** Whether nodes are killed or paused. Then requests may fail, and a stream may be removed under the readers of such a node. */
  readonly unruly: boolean;
}

/** A request to publish one event. `id` is that of an acknowledged one. */
interface Publication {
  readonly data: string;
  readonly sent: number;
  ended: number;
  id: string | undefined;
  /** Whether it may be in the log without an id. */
  unknown: boolean;
}

/** A reader's connection: between these times, the stream had a subscriber. */
interface Use {
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
}

interface Room {
  readonly name: string;
  readonly publications: Publication[];
  readonly uses: Use[];
  readonly readers: readonly RoomReader[];
}

const between = (least: number, most: number): number => least + Math.random() * (most - least);

/** Makes the traffic of so many rooms, which nobody uses yet. */
export function createRoomTraffic({ urls, rooms: count, idle, unruly }: RoomTrafficOptions): RoomTraffic {
  const faults: string[] = [];
  const pick = (): string => urls[Math.floor(Math.random() * urls.length)]!;
  const rooms: readonly Room[] = Array.from({ length: count }, (_, index) => {
    const name = `room-${index}`;
    const uses: Use[] = [];
    const fault = (text: string): void => void faults.push(`${name}: ${text}`);
    const url = (): string => `${pick()}/streams/${name}`;
    const readers = [1, 2].map(() => new RoomReader(url, fault, (use) => uses.push(use)));
    return { name, publications: [], uses, readers };
  });
  let published = 0;
  let stopping = false;
  let running: Promise<unknown> = Promise.resolve();

  async function publish(room: Room): Promise<Publication> {
    const now = performance.now();
    const publication = {
      data: `${room.name} ${++published}`,
      sent: now,
      ended: Infinity,
      id: undefined,
      unknown: true,
    };
    room.publications.push(publication);
    await send(pick(), room.name, publication, unruly).catch((error: unknown) => faults.push(String(error)));
    return publication;
  }

  async function publishSurely(room: Room): Promise<Publication> {
    for (;;) {
      const publication = await publish(room);
      if (publication.id !== undefined) return publication;
      await sleep(50);
    }
  }

  /** Publishers and readers come and go, and then the room is empty for about as long as it takes until it is removed. */
  async function useRoom(room: Room): Promise<void> {
    while (!stopping) {
      const visits = room.readers.map(async (reader) => {
        await sleep(between(0, 50));
        await reader.visit(between(0, 400));
      });
      for (let n = between(0, 4); n > 0; n--) {
        await publish(room);
        await sleep(between(0, 60));
      }
      await Promise.all(visits);
      await sleep(between(0.2, 5) * idle);
    }
  }

  /** Everyone stays until they have the last event. */
  async function readToTheEnd(room: Room): Promise<void> {
    for (const reader of room.readers) reader.stay();
    await eventually(() => room.readers.every(({ isConnected }) => isConnected), `${room.name}: readers`);
    const { data } = await publishSurely(room);
    await eventually(() => room.readers.every(({ seen }) => seen.has(data)), `${room.name}: the last event everywhere`);
    const late = new RoomReader(
      () => `${pick()}/streams/${room.name}`,
      (text) => faults.push(text),
      () => {},
    );
    late.stay();
    await eventually(() => late.seen.has(data), `${room.name}: the last event, read from the beginning`);
    for (const reader of [...room.readers, late]) await reader.leave();
    expect(missing(room, late), `${room.name}: acknowledged events that its log does not have`).toEqual([]);
    for (const reader of room.readers) faults.push(...contradictions(room, reader));
    if (!unruly) faults.push(...removedUnderReaders(room));
    faults.push(...removedTooEarly(room, idle));
  }

  return {
    start() {
      running = Promise.all(rooms.map(useRoom));
    },
    removals: () => rooms.reduce((sum, room) => sum + new Set(acknowledged(room).map(epochOf)).size - 1, 0),
    async finish() {
      stopping = true;
      await running;
      await Promise.all(rooms.map(readToTheEnd));
      expect(faults).toEqual([]);
    },
  };
}

async function send(url: string, name: string, publication: Publication, mayFail: boolean): Promise<void> {
  try {
    const response = await fetch(`${url}/streams/${name}/events`, {
      method: "POST",
      headers: { "content-type": "application/json", "connection": "close" },
      body: JSON.stringify({ data: publication.data }),
    });
    const { ids, code } = (await response.json()) as { ids?: [string]; code?: string };
    publication.unknown = code === "append-unknown";
    publication.id = ids?.[0];
    // A log may be removed by another node just before the event gets there; then nothing is appended.
    if (!ids && response.status !== 503) throw new Error(`${name}: ${response.status} ${code}`);
  } catch (error) {
    if (!mayFail || !(error instanceof TypeError)) throw error;
  } finally {
    publication.ended = performance.now();
  }
}

type Acknowledged = Publication & { readonly id: string };

function acknowledged({ publications }: Room): Acknowledged[] {
  return publications.filter((each): each is Acknowledged => each.id !== undefined);
}

const epochOf = ({ id }: { readonly id: string }): string => id.split(".")[0]!;

/** The acknowledged events of the last log that a reader of all its events did not get. */
function missing(room: Room, late: RoomReader): string[] {
  const last = acknowledged(room).at(-1)!;
  const here = acknowledged(room).filter((each) => epochOf(each) === epochOf(last));
  return here.filter(({ id, data }) => late.seen.get(data) !== id).map(({ id, data }) => `${id} ${data}`);
}

/** What a reader got that nobody has published, or that has another id than its publisher knows. */
function contradictions({ publications }: Room, { seen }: RoomReader): string[] {
  const known = new Map(publications.map((each) => [each.data, each]));
  return Array.from(seen).flatMap(([data, id]) => {
    const publication = known.get(data);
    const isRight = publication && (publication.id === undefined ? publication.unknown : publication.id === id);
    return isRight ? [] : [`got ${id} ${data}, published as ${publication?.id}`];
  });
}

/** Two events of different logs, of which the second one was published before the first one was idle for long enough. */
function removedTooEarly(room: Room, idle: number): string[] {
  const all = acknowledged(room);
  return all.flatMap((first) =>
    all
      .filter((next) => next.sent >= first.ended && epochOf(next) !== epochOf(first) && next.ended - first.sent < idle)
      .map((next) => `${first.id} was removed before ${next.id}, ${(next.ended - first.sent).toFixed()} ms later`),
  );
}

/** The events that were published to another log while a reader followed this one. */
function removedUnderReaders(room: Room): string[] {
  return room.uses.flatMap(({ epoch, from, to }) =>
    acknowledged(room)
      .filter((each) => each.sent > from && each.ended < to && epochOf(each) !== epoch)
      .map((each) => `${each.id} was published while ${epoch} had a subscriber`),
  );
}

/** A client that reads a stream now and then, and resumes with its last id. */
class RoomReader {
  /** The ids of all events that it got, by their data. */
  readonly seen = new Map<string, string>();
  isConnected = false;
  readonly #url: () => string;
  readonly #fault: (text: string) => void;
  readonly #onUse: (use: Use) => void;
  #lastId = "";
  #wanted = false;
  #current: Promise<void> = Promise.resolve();
  #abort = new AbortController();

  constructor(url: () => string, fault: (text: string) => void, onUse: (use: Use) => void) {
    this.#url = url;
    this.#fault = fault;
    this.#onUse = onUse;
  }

  async visit(time: number): Promise<void> {
    this.stay();
    await sleep(time);
    await this.leave();
  }

  /** Stays connected, also if connections are lost. */
  stay(): void {
    this.#wanted = true;
    this.#abort = new AbortController();
    this.#current = this.#follow();
  }

  async leave(): Promise<void> {
    this.#wanted = false;
    this.#abort.abort();
    await this.#current;
  }

  async #follow(): Promise<void> {
    while (this.#wanted) {
      await this.#connect();
      this.isConnected = false;
      if (this.#wanted) await sleep(20);
    }
  }

  #connect(): Promise<void> {
    const id = this.#lastId;
    const headers = { accept: "text/event-stream", ...(id !== "" && { "last-event-id": id }) };
    const target = id === "" ? `${this.#url()}?after=earliest` : this.#url();
    return new Promise((resolve) => {
      const end = (): void => resolve();
      const sent = request(target, { headers, agent: false, signal: this.#abort.signal }, (response) => {
        response.on("close", end).on("error", end);
        if (response.statusCode !== 200) {
          if (response.statusCode !== 503) this.#fault(`a reader got ${response.statusCode}`);
          return void response.resume();
        }
        this.#read(response);
      });
      sent.on("error", end).end();
    });
  }

  #read(response: NodeJS.ReadableStream): void {
    /** Whether the next event may have any place: a hole was announced. */
    let isAnnounced = this.#lastId === "";
    let from: number | undefined;
    const parser = createParser({
      lastEventId: this.#lastId,
      onEvent: ({ event, data, id }) => {
        if (event === "spillway.reset" || event === "spillway.gap") isAnnounced = true;
        if (event === "connected") {
          from = performance.now();
          this.isConnected = true;
        } else if (!event.startsWith("spillway.")) this.#take(data, id!);
        if (id === undefined || id === this.#lastId) return;
        if (!isAnnounced && !follows(id, this.#lastId)) this.#fault(`a reader got ${id} after ${this.#lastId}`);
        isAnnounced = false;
        this.#lastId = id;
      },
    });
    response.on("data", (chunk: Buffer) => parser.push(chunk));
    response.on("close", () => {
      if (from !== undefined) this.#onUse({ epoch: this.#lastId.split(".")[0]!, from, to: performance.now() });
    });
  }

  #take(data: string, id: string): void {
    if (this.seen.has(data)) this.#fault(`a reader got ${data} twice: ${this.seen.get(data)}, ${id}`);
    this.seen.set(data, id);
  }
}

function follows(id: string, before: string): boolean {
  const [epoch, seq] = before.split(".");
  return id === `${epoch}.${Number(seq) + 1}`;
}
