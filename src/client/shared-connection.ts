import { Connection } from "./connection.ts";
import { ClientError, toClientError } from "./error.ts";
import type { Message } from "./message.ts";
import { roleOf, type LeaderNote, type Note, type Numbered, type Place } from "./notes.ts";
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
 * behind. A tab that comes with a stored position leads from there, or gets a gap if the others are elsewhere.
 */
export class SharedConnection {
  readonly #name: string;
  readonly #source: StreamUrl;
  readonly #options: SubscribeOptions;
  readonly #queue: Queue<Message>;
  readonly #change: (state: ConnectionState) => void;
  #leavePage = (): void => {};
  #end = (_error?: ClientError): void => {};
  #channel: BroadcastChannel | undefined;
  #leaving = new AbortController();
  #connection: Connection | undefined;
  #place: Place | undefined;
  /** The position that it starts with; `""` if there is none. */
  readonly #stored: string;
  /** Takes the places that are reported to a new leader. */
  #onReport = (_place: Place | undefined): void => {};
  /** As the leader, the first message of the response, with what has changed since: for tabs that join. */
  #start: Message | undefined;
  #state: ConnectionState = { status: "connecting", attempt: 1 };
  #full = false;
  #missed = false;
  #asked = false;
  #unanswered = false;

  constructor(
    source: StreamUrl,
    options: SubscribeOptions & { readonly identity?: string | undefined },
    queue: Queue<Message>,
    position: string,
    change: (state: ConnectionState) => void,
  ) {
    const { channels, events, filter, identity } = options;
    // A function for each attempt is not among the options that tabs share.
    const { href } = new URL(source as string | URL, globalThis.location?.href);
    this.#name = `spillway ${JSON.stringify([href, channels, events, filter, identity])}`;
    this.#source = source;
    this.#options = options;
    this.#queue = queue;
    this.#change = change;
    this.#stored = position;
  }

  /** Resolves after `close` or a 204; rejects with the error that ends the subscriptions of all tabs. */
  run(): Promise<void> {
    this.#leavePage = watchPage(
      this.#options.hidden,
      () => this.#check(),
      () => {
        this.#leave();
        this.#change({ status: "paused" });
      },
      () => this.#join(),
    );
    this.#join();
    return new Promise((resolve, reject) => {
      this.#end = (error) => (error ? reject(error) : resolve());
    });
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
    // Fails if this tab has left, or was replaced while it did not respond.
    await navigator.locks.request(this.#name, options, () => this.#lead(signal)).catch(() => {});
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
    const own = held.find(({ name }) => name === this.#name)?.clientId;
    let missing = pending.filter(({ name, clientId }) => name === this.#name && clientId !== own).length;
    const places = this.#place ? [this.#place] : [];
    await new Promise<void>((resolve) => {
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
    const place = from?.id ? from : { series: Math.random(), n: 0, id: this.#place ? "" : this.#stored };
    if (place !== from) this.#place ??= place;
    const { series, id } = place;
    let { n } = place;
    const push = (message: Message): void => {
      if (roleOf(message) === "event") n++;
      this.#learn(message);
      const received = { series, n, message };
      this.#send({ kind: "leader", received });
      this.#receive(received, true);
    };
    const report = (state: ConnectionState): void => {
      if (connection === this.#connection) this.#announce(state);
    };
    const connection = new Connection(this.#source, this.#options, { ...this.#queue, push }, id, report);
    this.#connection = connection;
    void connection
      .run()
      .catch((cause: unknown) => toClientError(cause, "connection-lost", true))
      .then((error) => report({ status: "closed", error: error as ClientError | undefined }));
  }

  #announce(state: ConnectionState): void {
    this.#send({ kind: "leader", state: plain(state) });
    this.#follow(state);
  }

  /** Keeps what a tab that joins later must be told. */
  #learn(message: Message): void {
    const { control, caughtUp } = message;
    const start = this.#start;
    if (control?.head) this.#start = message;
    else if (start && caughtUp) this.#start = { ...start, caughtUp };
    else if (start && control?.state)
      this.#start = { ...start, control: { ...start.control, upstream: control.state } };
  }

  #take(note: Note): void {
    switch (note.kind) {
      case "leader":
        return this.#hear(note);
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
    const place = this.#place;
    const answer = { kind: "leader", place } as const;
    if (note.kind === "ping") return this.#send(answer);
    const start = this.#start;
    const received = start && place && { ...place, message: { ...start, id: place.id } };
    this.#send({ ...answer, state: plain(this.#state), received });
  }

  #hear({ state, place, received }: LeaderNote): void {
    this.#unanswered = false;
    if (state) this.#follow(state);
    if (place) this.#compare(place);
    if (received) this.#receive(received, false);
  }

  /** Takes the state of the leader, unless it only repeats for another tab that the connection is open. */
  #follow(state: ConnectionState): void {
    const { error } = state as { readonly error?: ClientError };
    const revived = error && new ClientError(error.code, error);
    if (state.status === "closed") this.#end(revived);
    else if (state.status !== "open" || this.#state.status !== "open")
      this.#change({ ...state, error: revived } as ConnectionState);
    this.#state = state;
  }

  /** Takes the leader's place if this tab has none; asks for what it lacks. */
  #compare(leader: Place): void {
    if (this.#place?.series !== leader.series) this.#adopt(leader);
    else if (leader.n > this.#place.n) this.#ask();
  }

  /** Continues at another place. What was missed since the old one is unknown, which is announced. */
  #adopt(place: Place): void {
    const { id = this.#stored } = this.#place ?? {};
    if (id ? id !== place.id : this.#place) {
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
    const step = role === "event" ? 1 : 0;
    if (this.#place?.series !== series) this.#adopt({ series, n: n - step, id: message.id });
    const place = this.#place!;
    if (this.#full && !own) return void (this.#missed = true);
    const next = place.n + step;
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
    this.#unanswered = !this.#unanswered;
    if (this.#unanswered) this.#send({ kind: "ping" });
    else void this.#compete({ steal: true });
  }

  #send(note: Note): void {
    this.#channel?.postMessage(note);
  }
}

/** A state whose error can be passed to another tab. */
function plain(state: ConnectionState): ConnectionState {
  const { error } = state as { readonly error?: ClientError };
  return { ...state, error: error && { ...(error as object), cause: undefined } } as ConnectionState;
}
