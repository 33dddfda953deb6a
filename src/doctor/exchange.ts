/** The head of a response, as it came. */
export interface ResponseHead {
  /** When it came, in ms since the request was begun. */
  readonly at: number;
  readonly status: number;
  /** `1.0`, `1.1`, `2`. */
  readonly version: string;
  /** Names as they were sent, in their order. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/** How a response came to its end. */
export interface ResponseEnd {
  /** In ms since the request was begun. */
  readonly at: number;
  /**
   * - `complete`: in order, by the rules of the protocol
   * - `cut`: without the end that was due
   * - `unreachable`: before there was a response
   */
  readonly how: "complete" | "cut" | "unreachable";
  /** The code of the error underneath, such as `ECONNRESET`. */
  readonly reason: string | undefined;
}

/** One request and what has come of it so far. Unlike `fetch` it shows names, pieces and ends as they came over the wire. */
export interface Exchange {
  readonly head: ResponseHead | undefined;
  readonly end: ResponseEnd | undefined;
  /** When the last bytes of the body came, in ms since the request was begun; `undefined` before the first. */
  readonly lastAt: number | undefined;
  /** Bytes of the body so far, as sent. */
  readonly bytes: number;
  /** Time since the request was begun, in ms. */
  now(): number;
  /** Resolves to whether the condition came to hold within so many ms; earlier if the response ends. */
  until(condition: () => boolean, ms: number): Promise<boolean>;
  /** Looks at the conditions that are waited for again: something that they depend on has changed. */
  notify(): void;
  /** Ends it from this side. Idempotent. */
  close(): void;
}

export interface ExchangeRequest {
  readonly url: URL;
  readonly method: "GET" | "HEAD" | "POST";
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** How long the connection may take, in ms. */
  readonly connectTimeout: number;
  /** Called with each piece of the body as it arrives, `at` as above. */
  onPiece?(piece: Buffer, at: number): void;
}

/** The writing side of an exchange: what the HTTP client reports. */
export interface ExchangeRecorder extends Exchange {
  started(head: Omit<ResponseHead, "at">): void;
  arrived(piece: Buffer): void;
  /** Only the first one counts. */
  ended(how: ResponseEnd["how"], reason?: string): void;
}

/** @param close ends the connection */
export function createRecorder(
  onPiece: ((piece: Buffer, at: number) => void) | undefined,
  close: () => void,
): ExchangeRecorder {
  const startedAt = performance.now();
  const waiting = new Set<() => void>();
  const notify = (): void => waiting.forEach((check) => check());
  const now = (): number => performance.now() - startedAt;
  let closed = false;
  const record = {
    head: undefined as ResponseHead | undefined,
    end: undefined as ResponseEnd | undefined,
    lastAt: undefined as number | undefined,
    bytes: 0,
    now,
    notify,
    close(): void {
      closed = true;
      close();
    },
    started(head: Omit<ResponseHead, "at">): void {
      record.head = { ...head, at: now() };
      notify();
    },
    arrived(piece: Buffer): void {
      record.lastAt = now();
      record.bytes += piece.length;
      onPiece?.(piece, record.lastAt);
      notify();
    },
    ended(how: ResponseEnd["how"], reason?: string): void {
      // What follows our own end is none of the other side's.
      if (!closed) record.end ??= { at: now(), how, reason };
      notify();
    },
    until(condition: () => boolean, ms: number): Promise<boolean> {
      return new Promise((resolve) => {
        const settle = (): void => {
          clearTimeout(timer);
          waiting.delete(check);
          resolve(condition());
        };
        const check = (): void => {
          if (condition() || record.end) settle();
        };
        const timer = setTimeout(settle, ms);
        waiting.add(check);
        check();
      });
    },
  };
  return record;
}

/** A header's value, its first where it came more than once. */
export function headerOf(head: ResponseHead | undefined, name: string): string | undefined {
  return head?.fields.find(([field]) => field.toLowerCase() === name)?.[1];
}
