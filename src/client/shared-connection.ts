import { Connection } from "./connection.ts";
import { toClientError, type ClientError } from "./error.ts";
import type { Message } from "./message.ts";
import { newSeries, plain, revive, roleOf, type Note, type Numbered, type Place } from "./notes.ts";
import type { SubscribeOptions } from "./options.ts";
import { watchPage } from "./page.ts";
import type { Queue } from "./queue.ts";
import type { StreamUrl } from "./request.ts";
import type { ConnectionState } from "./state.ts";

/** How long a new leader waits for the places of the others at most, in ms. One that is late asks for what it has missed. */
const longestGathering = 500;
/** How often a visible tab checks that the leader responds, in ms. The first check without an answer replaces it. */
const checkInterval = 3000;

/**
 * One connection for all tabs with the same name. The tab that holds a Web Lock is the leader: it is connected and passes on
 * what it receives over a BroadcastChannel. Events are numbered, so that each tab takes each event once: it skips those that it
 * has, and asks for what it lacks. When the leader's tab ends, the next one resumes at the place of the tab that is furthest
 * behind.
 */
export class SharedConnection {
  readonly #name: string;
  readonly #source: StreamUrl;
  readonly #options: SubscribeOptions;
  readonly #queue: Queue<Message>;
  readonly #change: (state: ConnectionState) => void;
  readonly #leavePage: () => void;
  readonly #ended: Promise<void>;
  #end!: (error?: ClientError) => void;
  #channel: BroadcastChannel | undefined;
  #leaving = new AbortController();
  #connection: Connection | undefined;
  #place: Place | undefined;
  /** Takes the places that are reported to a new leader. */
  #onReport = (_place: Place | undefined): void => {};
  #state: ConnectionState = { status: "connecting", attempt: 1 };
  #full = false;
  #missed = false;
  #asked = false;
  #unanswered = false;

  constructor(
    name: string,
    source: StreamUrl,
    options: SubscribeOptions,
    queue: Queue<Message>,
    _position: string,
    change: (state: ConnectionState) => void,
  ) {
    this.#name = name;
    this.#source = source;
    this.#options = { ...options, hidden: undefined };
    this.#queue = queue;
    this.#change = change;
    this.#ended = new Promise((resolve, reject) => {
      this.#end = (error) => (error ? reject(error) : resolve());
    });
    const check = (): void => this.#check();
    this.#leavePage = watchPage(
      undefined,
      check,
      () => this.#leave(),
      () => this.#join(),
    );
    this.#join();
  }

  /** Resolves after `close` or a 204; rejects with the error that ends the subscriptions of all tabs. */
  run(): Promise<void> {
    return this.#ended;
  }

  close(): void {
    this.#leavePage();
    this.#leave();
    this.#end();
  }

  /** Takes part; called again when a page comes back from the cache. */
  #join(): void {
    if (this.#channel) return this.#check();
    const channel = (this.#channel = new BroadcastChannel(this.#name));
    this.#leaving = new AbortController();
    channel.addEventListener("message", ({ data }: MessageEvent<Note>) => this.#take(data));
    this.#send({ kind: "hello" });
    void this.#compete({ signal: this.#leaving.signal });
    const timer = setInterval(() => this.#check(), checkInterval);
    this.#leaving.signal.addEventListener("abort", () => clearInterval(timer));
  }

  /** A page with a lock or a channel is not put into the back/forward cache. */
  #leave(): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.#leaving.abort();
    this.#channel?.close();
    this.#channel = undefined;
  }

  /** Waits for the lock, leads while it is held, and waits again when another tab has taken it. */
  async #compete(options: LockOptions): Promise<void> {
    const { signal } = this.#leaving;
    try {
      await navigator.locks.request(this.#name, options, () => this.#lead(signal));
    } catch {
      // Left, or replaced while it did not respond.
    }
    this.#connection?.close();
    this.#connection = undefined;
    if (!signal.aborted) void this.#compete({ signal });
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const place = await this.#gather();
    if (signal.aborted) return;
    this.#connect(place);
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  }

  /** The place of the tab that is furthest behind. Waits for all tabs that want the lock, as long as they respond. */
  async #gather(): Promise<Place | undefined> {
    const { held = [], pending = [] } = await navigator.locks.query();
    const isOurs = ({ name }: LockInfo): boolean => name === this.#name;
    const own = held.find(isOurs)?.clientId;
    const others = new Set(pending.filter(isOurs).map(({ clientId }) => clientId));
    others.delete(own);
    const places = this.#place ? [this.#place] : [];
    await new Promise<void>((resolve) => {
      let missing = others.size;
      if (missing === 0) return resolve();
      setTimeout(resolve, longestGathering);
      this.#onReport = (place) => {
        if (place) places.push(place);
        if (--missing === 0) resolve();
      };
      this.#send({ kind: "where" });
    });
    this.#onReport = () => {};
    return places.toSorted((a, b) => a.n - b.n).find(({ series }) => series === places[0]!.series);
  }

  /** Connects as the leader. What follows the place has the numbers after it. */
  #connect(from?: Place): void {
    this.#connection?.close();
    // Without an id, nobody knows what was missed.
    const { series, n: start, id } = from?.id ? from : { series: newSeries(), n: 0, id: "" };
    let n = start;
    const push = (message: Message): void => {
      if (roleOf(message) === "event") n++;
      this.#send({ kind: "message", series, n, message });
      this.#receive({ series, n, message }, true);
    };
    const connection = new Connection(this.#source, this.#options, { ...this.#queue, push }, id, (state) => {
      if (connection === this.#connection) this.#announce(state);
    });
    this.#connection = connection;
    connection.run().then(
      () => this.#finish(connection, undefined),
      (error: unknown) => this.#finish(connection, toClientError(error, "connection-lost", true)),
    );
  }

  #announce(state: ConnectionState): void {
    this.#state = state;
    this.#send({ kind: "state", state: { ...state, error: undefined } as ConnectionState, error: plain(state) });
    this.#change(state);
  }

  #finish(connection: Connection, error: ClientError | undefined): void {
    if (connection !== this.#connection) return;
    this.#send({ kind: "end", error: error && plain({ error }) });
    this.#end(error);
  }

  #take(note: Note): void {
    switch (note.kind) {
      case "message":
        this.#unanswered = false;
        return this.#receive(note, false);
      case "state":
        this.#unanswered = false;
        return this.#change(
          (note.error ? { ...note.state, error: revive(note.error) } : note.state) as ConnectionState,
        );
      case "welcome":
        this.#unanswered = false;
        return note.place && this.#compare(note.place);
      case "end":
        return this.#end(note.error && revive(note.error));
      case "where":
        this.#asked = false;
        return this.#send({ kind: "here", place: this.#place });
      case "here":
        return this.#onReport(note.place);
      case "hello":
      case "ping":
      case "need":
        if (this.#connection) this.#answer(note);
    }
  }

  /** Answers another tab as the leader. */
  #answer(note: Extract<Note, { kind: "hello" | "ping" | "need" }>): void {
    if (note.kind === "need") return this.#connect(note.place);
    this.#send({ kind: "welcome", place: this.#place });
    if (note.kind === "hello") this.#announce(this.#state);
  }

  /** Takes the leader's place if this tab has none; asks for what it lacks. */
  #compare(leader: Place): void {
    if (this.#place?.series !== leader.series) this.#adopt(leader);
    else if (leader.n > this.#place.n) this.#ask();
  }

  /** Continues at another place. What was missed since the old one is unknown, which is announced. */
  #adopt(place: Place): void {
    if (this.#place) {
      const control = { reason: "unknown", lost: null } as const;
      this.#queue.push({ type: "spillway.gap", raw: JSON.stringify(control), id: place.id, control });
    }
    this.#place = place;
  }

  #ask(): void {
    if (this.#asked || !this.#place) return;
    this.#asked = true;
    if (this.#connection) this.#connect(this.#place);
    else this.#send({ kind: "need", place: this.#place });
  }

  /** Takes a message if it is the next one for this tab. */
  #receive({ series, n, message }: Numbered, own: boolean): void {
    const role = roleOf(message);
    if (role === "start") this.#asked = false;
    if (this.#place?.series !== series) this.#adopt({ series, n: role === "event" ? n - 1 : n, id: message.id });
    const place = this.#place!;
    if (this.#full && !own) return void (this.#missed = true);
    const next = role === "event" ? place.n + 1 : place.n;
    if (role === "restart" || n === next) this.#place = { series, n, id: message.id };
    else if (n > next) return this.#ask();
    // A tab that is ahead has it already. Only that there is a connection is news.
    else if (role !== "start") return;
    this.#queue.push({ ...message, id: this.#place!.id });
    if (!own) void this.#pause();
  }

  /** Takes nothing while the reader is behind; then asks for what it has missed. */
  async #pause(): Promise<void> {
    this.#full = true;
    await this.#queue.room();
    this.#full = false;
    if (this.#missed) this.#ask();
    this.#missed = false;
  }

  /** Replaces a leader that does not respond, such as a frozen tab, if the user sees this one. */
  #check(): void {
    if (this.#connection || !this.#channel || globalThis.document?.hidden) return;
    if (this.#unanswered) {
      this.#unanswered = false;
      return void this.#compete({ steal: true });
    }
    this.#unanswered = true;
    this.#send({ kind: "ping" });
  }

  #send(note: Note): void {
    this.#channel?.postMessage(note);
  }
}
