import type { Identity } from "../access/identity.ts";
import { endOf, enterReplay } from "../http/subscribe.ts";
import type { Caller, GatewayContext } from "../http/gateway-context.ts";
import type { HttpHeaders, HttpRequest, HttpStream } from "../http/message.ts";
import { begin } from "../http/sessions.ts";
import type { SubscriptionOwner } from "../hub/subscriber.ts";
import { formatRunId, type Run, type RunHead } from "./record.ts";
import type { Runs } from "./runs.ts";

/** A client of a run. */
export interface RunClient {
  readonly request: HttpRequest;
  readonly caller: Caller;
  readonly gateway: GatewayContext;
}

/** Takes a place among the connections for a client; returns the function that frees it. */
export async function admit({ caller: { identity, address }, gateway }: RunClient): Promise<() => void> {
  return gateway.admission.connect({ subject: identity.subject, address });
}

/** Header fields of a target's response that are not about its content, or that the gateway writes. */
const dropped: ReadonlySet<string> = new Set(["content-length", "set-cookie", "date", "location", "spillway-run"]);

/** The head of a response as it is stored for everyone who joins the run. */
export function storedHead(status: number, headers: HttpHeaders): RunHead {
  const kept = Object.entries(headers).filter(([name]) => !dropped.has(name.toLowerCase()));
  return { status, headers: Object.fromEntries(kept) };
}

/** The header fields by which a client finds a run again. */
export function runHeaders(run: Run, { mount }: HttpRequest): HttpHeaders {
  const id = formatRunId(run);
  return { "Spillway-Run": id, "Location": `${mount}/runs/${id}` };
}

/** What a client gets of a run. */
export interface RunView {
  readonly run: Run;
  readonly head: RunHead;
  /** What comes before is left out. */
  readonly position: number;
  /** Whether there are records to read first. */
  readonly isReplay: boolean;
  /** Frees the client's place among the connections. */
  readonly release: () => void;
  /** Called when the client counts as one of the run, or has left. */
  readonly onOpen?: (() => void) | undefined;
}

/**
 * The response of a run from a position on, until its end.
 * @throws {SpillwayError} `replay-busy`
 */
export async function respond(view: RunView, { request, caller, gateway }: RunClient, runs: Runs): Promise<HttpStream> {
  const { run, head, position, isReplay, release, onOpen } = view;
  const leaveReplay = isReplay ? await enterReplay(() => request.signal, gateway, "runs", 1) : undefined;
  return {
    status: head.status,
    headers: { ...head.headers, ...noTransform, ...runHeaders(run, request) },
    open(sink) {
      const right = rightOf(caller.identity);
      const session = gateway.sessions.open({
        ...caller,
        stream: run.start.route,
        right,
        asked: undefined,
        release,
        endsAt: endOf(request, gateway),
      });
      session.leaveReplay = leaveReplay;
      const leave = runs.attend(run);
      onOpen?.();
      const owner: SubscriptionOwner = {
        onLive: () => session.onLive(),
        onEnd(reason, subscriber) {
          leave();
          session.onEnd(reason, subscriber);
        },
      };
      const filter = { channels: [run.token] };
      const parts = { position, filter, format: "sse", preamble: "", sink, owner } as const;
      const subscription = runs.journal.hub.subscribe(parts);
      begin(session, subscription, gateway);
      return subscription;
    },
    abandon() {
      onOpen?.();
      leaveReplay?.();
      release();
    },
  };
}

/** A program's own response needs no right. */
function rightOf({ grant }: Identity): "proxy" | "none" {
  return grant.can.includes("proxy") ? "proxy" : "none";
}

const noTransform: HttpHeaders = { "Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no" };
