import { backoffDelay, type BackoffBounds } from "../util/backoff.ts";
import { ClientError, judge, toClientError, type ClientErrorCode } from "./error.ts";
import type { Control, Message } from "./message.ts";
import type { SubscribeOptions } from "./options.ts";
import { watchPage } from "./page.ts";
import { createTextParser } from "./parser.ts";
import type { Queue } from "./queue.ts";
import { buildRequest, isRefreshable, type StreamUrl } from "./request.ts";
import type { ConnectionState } from "./state.ts";

/** How long a connection must last for the next failure to count as the first one, in ms. */
const stableAfter = 5000;
/** Responses that last shorter than this, in ms, are taken for those of a hop that does not let streams pass. */
const shortest = 1000;
/** How many such responses in a row lead to long polls. */
const mostShort = 3;
/** Longer delays are shortened to a day, because timers hold no more than 24 days. */
const longestDelay = 86_400_000;

/** Keeps one stream connected until it is closed or fails. */
export class Connection {
  /** The last received id; `""` if there was none. */
  #position: string;
  readonly #source: StreamUrl;
  readonly #options: SubscribeOptions;
  readonly #backoff: BackoffBounds;
  readonly #queue: Queue<Message>;
  readonly #change: (state: ConnectionState) => void;
  readonly #leavePage: () => void;
  readonly #isGet: boolean;
  #closed = false;
  #paused = false;
  #current = new AbortController();
  /** Ends a pause, or the delay before the next attempt. */
  #proceed = (): void => {};
  /** The server has asked not to be connected to earlier, in ms since 1970. */
  #notBefore = 0;
  #failures = 0;
  #refresh = false;
  /** The reconnect delay that the stream asks for, in ms. */
  #retry = 0;
  /** Whether the last response is from a Spillway. */
  #spillway = false;
  /** Whether a Spillway has ever answered. */
  #known = false;
  /** When the response of the current attempt began, in ms since 1970; 0 before. */
  #openedAt = 0;
  /** Responses in a row that were too short. */
  #short = 0;
  /** The reason in `spillway.bye`. */
  #bye: string | undefined;
  /** The head of the log when the response began, or a later position up to which everything was sent. */
  #head: string | undefined;
  /** The longest silence, in ms. */
  #heartbeat: number | undefined;
  /** When something was last received, in ms since 1970, while silence breaks the connection off; otherwise 0. */
  #heardAt = 0;
  #watchdog: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param queue gets what is received
   * @param position where to start; `""` for where the options say
   */
  constructor(
    source: StreamUrl,
    options: SubscribeOptions,
    queue: Queue<Message>,
    position: string,
    change: (state: ConnectionState) => void,
  ) {
    this.#source = source;
    this.#options = options;
    this.#queue = queue;
    this.#position = position;
    this.#change = change;
    this.#backoff = { min: 1000, max: 30_000, ...options.backoff };
    this.#heartbeat = options.heartbeat;
    this.#isGet = /^get$/i.test(options.method ?? "GET");
    this.#leavePage = watchPage(
      options.hidden,
      this.#wake,
      () => {
        // What cannot be repeated must not be broken off.
        if (!this.#isGet && !this.#position) return;
        this.#paused = true;
        this.#notBefore = 0;
        change({ status: "paused" });
        this.#stop();
      },
      () => {
        this.#paused = false;
        this.#wake();
      },
    );
  }

  /** Resolves after `close` or a 204; rejects with the error that ends the subscription. */
  async run(): Promise<void> {
    while (!this.#closed) {
      if (this.#paused) {
        await this.#delay();
        continue;
      }
      this.#change({ status: "connecting", attempt: this.#failures + 1 });
      const error = await this.#attempt();
      if (this.#closed || this.#paused) continue;
      if (this.#isFinal(error)) {
        if (error.code === "stream-ended" && !error.fatal) return;
        throw error;
      }
      await this.#wait(error);
    }
  }

  close(): void {
    this.#closed = true;
    this.#leavePage();
    this.#stop();
  }

  #stop(): void {
    this.#current.abort();
    this.#proceed();
  }

  /** The connection may be dead, so one heartbeat is awaited instead of two. A delay ends. */
  readonly #wake = (): void => {
    if (this.#heardAt) this.#listen(1, this.#heardAt);
    if (Date.now() >= this.#notBefore) this.#proceed();
  };

  /** Breaks the connection off if nothing arrives within some heartbeats since then; with 0, it may be silent. */
  #listen(heartbeats: number, since: number = Date.now()): void {
    this.#heardAt = heartbeats && since;
    const ms = heartbeats * (this.#heartbeat ?? 0);
    this.#watch(ms && (since + ms - Date.now() || 1), "connection-silent");
  }

  /** Breaks the attempt off with this code after some ms; with 0, never. */
  #watch(ms: number, code: ClientErrorCode): void {
    clearTimeout(this.#watchdog);
    if (ms) this.#watchdog = setTimeout(() => this.#current.abort(new ClientError(code)), ms);
  }

  async #attempt(): Promise<ClientError> {
    this.#openedAt = 0;
    this.#bye = undefined;
    const polling = this.#short >= mostShort && this.#isGet;
    const error = await this.#serve(polling).catch((cause: unknown) =>
      toClientError(cause, this.#openedAt ? "connection-lost" : "connect-failed"),
    );
    this.#listen(0);
    this.#current.abort();
    const lasted = this.#openedAt && Date.now() - this.#openedAt;
    if (lasted > stableAfter) this.#failures = 0;
    if (polling) this.#short = mostShort - 1;
    else if (error.code === "connect-timeout" || (this.#spillway && lasted && lasted < shortest && !this.#bye))
      this.#short++;
    else this.#short = 0;
    return error;
  }

  /** Receives a stream, or pages, until it ends. */
  async #serve(polling: boolean): Promise<ClientError> {
    const poll = polling ? await import("./long-poll.ts") : undefined;
    do {
      const response = await this.#request(poll?.pollWait);
      if (response.status === 204) this.#closed = true;
      this.#spillway = response.headers.has("spillway-resume");
      this.#known ||= this.#spillway;
      const type = poll ? "application/json" : "text/event-stream";
      const error = await judge(response, type, this.#backoff.max, this.#known || polling);
      if (error) return error;
      this.#refresh = false;
      if (!this.#openedAt) this.#change({ status: "open", caughtUp: !this.#spillway });
      this.#openedAt ||= Date.now();
      if (poll) this.#position = await poll.deliverPage(response, this.#position, this.#queue);
      else await this.#readStream(response);
      await this.#queue.room();
    } while (poll);
    return new ClientError("stream-ended", { reason: this.#bye, fatal: this.#bye === "replaced" });
  }

  /** @param wait how long the server may wait before it answers, in s, for a long poll */
  async #request(wait = 0): Promise<Response> {
    this.#current = new AbortController();
    // Until the stream is read: a refusal, or a page, may also have a body that never ends.
    this.#watch((this.#options.connectTimeout ?? 10_000) + wait * 1000, "connect-timeout");
    const [url, init] = await buildRequest(this.#source, this.#options, this.#position, this.#refresh, this.#known);
    if (wait) {
      url.searchParams.set("wait", `${wait}`);
      init.headers.set("accept", "application/json");
    }
    return (this.#options.fetch ?? fetch)(url.href, { ...init, signal: this.#current.signal });
  }

  async #readStream({ body }: Response): Promise<void> {
    let first = true;
    const parse = createTextParser(this.#position, this.#options.maxEventLength ?? 1 << 24, {
      onBlock: (type, data, id) => {
        const own = this.#spillway && ((first && type === "connected") || type.startsWith("spillway."));
        first = false;
        const control = data === undefined ? {} : own ? this.#act(type, JSON.parse(data) as Control) : undefined;
        const caughtUp = (control?.cursor ?? id) === this.#head;
        this.#queue.push({ type, raw: data ?? "", id, control, caughtUp });
      },
      onRetry: (ms) => (this.#retry = ms),
    });
    const reader = body!.getReader();
    for (;;) {
      this.#listen(2);
      const { done, value } = await reader.read();
      if (done) return;
      this.#position = parse(value);
      this.#listen(0);
      await this.#queue.room();
    }
  }

  /** Acts on an event of the server itself as soon as it arrives, and returns it. */
  #act(type: string, control: Control): Control {
    // `connected` has both. A heartbeat has a cursor if all events up to there were sent.
    this.#head = control.head ?? control.cursor ?? this.#head;
    this.#heartbeat = control.heartbeat ?? this.#heartbeat;
    if (type === "spillway.bye") this.#bye = control.reason;
    return control;
  }

  /** Whether no other attempt follows. A request that is not idempotent is repeated if it was refused, or can be resumed. */
  #isFinal({ fatal, status, code, reason }: ClientError): boolean | undefined {
    if (status === 401 && !this.#refresh && isRefreshable(this.#source, this.#options)) return false;
    if (fatal || this.#isGet || status === 429 || status === 503 || code === "request-failed") return fatal;
    return !this.#position || (code === "stream-ended" && !reason);
  }

  async #wait(error: ClientError): Promise<void> {
    const refused = error.status === 401;
    this.#refresh = refused || error.reason === "token-expired";
    const floor = Math.min(longestDelay, Math.max(this.#retry, error.retryAfter ?? 0));
    const delay = refused ? 0 : backoffDelay(++this.#failures, this.#backoff, floor, Math.random());
    this.#notBefore = Date.now() + floor;
    this.#change({ status: "waiting", error, delay });
    await this.#delay(delay);
  }

  /** Waits until the connection proceeds, at the longest for some ms. */
  #delay(ms: number = longestDelay): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#proceed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
