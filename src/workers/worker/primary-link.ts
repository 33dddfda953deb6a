import type { Tickets } from "../../access/tickets.ts";
import { SpillwayError } from "../../errors.ts";
import type { Admission } from "../../limits/admission.ts";
import type { Limits } from "../../limits/options.ts";
import type { Channel } from "../ipc/channel.ts";
import { frameLimit } from "../ipc/frame.ts";
import { toError, type CallName, type Calls, type Facts, type ToPrimary, type ToWorker } from "../ipc/messages.ts";

type Answer = Extract<ToWorker, { kind: "answered" | "refused" | "facts" }>;

/** The primary, as seen by a worker. */
export interface PrimaryLink {
  send(message: ToPrimary): void;
  /** Calls the primary. There is no timeout, because a worker exits when its primary is gone. */
  call<Name extends CallName>(name: Name, request: Calls[Name]["request"]): Promise<Calls[Name]["answer"]>;
  /** Updates the facts. Never rejects, and resolves after a timeout at the latest. */
  refresh(): Promise<void>;
  /** The last known facts. */
  facts(): Facts;
  /** Takes an answer of the primary. */
  settle(answer: Answer): void;
}

interface Pending {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/** How long to wait for the primary's facts, in ms. The primary's own timeout for the workers is shorter. */
const factsTimeout = 1000;

/** Creates the link over a channel. */
export function createPrimaryLink(channel: Channel<ToPrimary>, known: Facts): PrimaryLink {
  const calls = new Map<number, Pending>();
  let facts = known;
  let nextId = 0;
  let refreshing: { readonly id: number; readonly done: Promise<void>; readonly resolve: () => void } | undefined;

  function refresh(): Promise<void> {
    if (refreshing) return refreshing.done;
    const id = nextId++;
    let settle!: () => void;
    const done = new Promise<void>((resolve) => {
      const timer = setTimeout(() => settle(), factsTimeout);
      settle = () => {
        clearTimeout(timer);
        refreshing = undefined;
        resolve();
      };
    });
    refreshing = { id, done, resolve: settle };
    channel.send({ kind: "facts-request", id });
    return done;
  }

  return {
    send: (message) => channel.send(message),
    call(name, request) {
      return new Promise<Calls[typeof name]["answer"]>((resolve, reject) => {
        const id = nextId++;
        try {
          channel.send({ kind: "call", id, name, request });
        } catch (cause) {
          const expected = `at most ${frameLimit} bytes as JSON`;
          return reject(new SpillwayError("body-too-large", undefined, { field: "body", expected, cause }));
        }
        calls.set(id, { resolve, reject });
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
      const call = calls.get(answer.id);
      calls.delete(answer.id);
      if (answer.kind === "answered") call?.resolve(answer.answer);
      else call?.reject(toError(answer.error));
    },
  };
}

/** Counts connections and requests over all workers. Requests are counted only if the current limits need it. */
export function createRemoteAdmission(primary: PrimaryLink, limits: () => Limits): Admission {
  return {
    async arrive(arrival) {
      const { requestRate, connectRate } = limits();
      if (arrival.address !== undefined && (requestRate || (arrival.subscribes && connectRate))) {
        await primary.call("arrive", arrival);
      }
    },
    async connect(caller) {
      const place = await primary.call("connect", caller);
      let held = true;
      return () => {
        if (held) primary.send({ kind: "release", place });
        held = false;
      };
    },
    async publish(caller) {
      if (limits().publishRate) await primary.call("publish", caller);
    },
  };
}

/** Tickets that are valid in all workers. */
export function createRemoteTickets(primary: PrimaryLink): Tickets {
  return {
    issue: (request) => primary.call("issue", request),
    redeem: (ticket) => primary.call("redeem", ticket),
    use: (ticket, number) => primary.send({ kind: "use", ticket, number }),
    revoke: async (ticket) => void (await primary.call("revoke", ticket)),
    // The primary reviews the tickets itself.
    review() {},
  };
}
