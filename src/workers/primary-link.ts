import { SpillwayError } from "../errors.ts";
import type { Appended, AppendOptions, NewEvent } from "../log/log.ts";
import type { Channel } from "./channel.ts";
import { frameLimit } from "./frame.ts";
import { toError, type Facts, type ToPrimary, type ToWorker } from "./messages.ts";

type Answer = Extract<ToWorker, { kind: "appended" | "refused" | "facts" }>;

/** The primary as a worker sees it. */
export interface PrimaryLink {
  send(message: ToPrimary): void;
  /** As a log's own `append`. While no answer comes it stays open: a worker without its primary ends. */
  append(stream: string, events: readonly NewEvent[], options: AppendOptions | undefined): Promise<Appended>;
  /** Brings the facts up to date; resolves in any case, in a bounded time. */
  refresh(): Promise<void>;
  /** As they were heard last. */
  facts(): Facts;
  /** Takes what the primary answered. */
  settle(answer: Answer): void;
}

interface Pending {
  resolve(appended: Appended): void;
  reject(error: Error): void;
}

/** How long the primary has for its facts, in ms. It waits less for the other workers. */
const patience = 1000;

/** Makes the link over a channel. */
export function createPrimaryLink(channel: Channel<ToPrimary>, known: Facts): PrimaryLink {
  const appends = new Map<number, Pending>();
  let facts = known;
  let nextId = 0;
  let refreshing: { readonly id: number; readonly done: Promise<void>; readonly resolve: () => void } | undefined;

  function refresh(): Promise<void> {
    if (refreshing) return refreshing.done;
    const id = nextId++;
    const { promise, resolve } = withResolvers();
    const settle = (): void => {
      clearTimeout(timer);
      refreshing = undefined;
      resolve();
    };
    const timer = setTimeout(settle, patience);
    refreshing = { id, done: promise, resolve: settle };
    channel.send({ kind: "gather", id });
    return promise;
  }

  return {
    send: (message) => channel.send(message),
    append(stream, events, options) {
      return new Promise((resolve, reject) => {
        const id = nextId++;
        try {
          channel.send({ kind: "append", id, stream, events, options });
        } catch (cause) {
          const expected = `at most ${frameLimit} bytes as JSON`;
          return reject(new SpillwayError("body-too-large", undefined, { field: "body", expected, cause }));
        }
        appends.set(id, { resolve, reject });
      });
    },
    refresh,
    facts: () => facts,
    settle(answer) {
      if (answer.kind === "facts") {
        ({ facts } = answer);
        if (answer.id === refreshing?.id) refreshing.resolve();
        return;
      }
      const append = appends.get(answer.id);
      appends.delete(answer.id);
      if (answer.kind === "appended") append?.resolve(answer.appended);
      else append?.reject(toError(answer.error));
    },
  };
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
