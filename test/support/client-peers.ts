import { fetchEventSource } from "@microsoft/fetch-event-source";
import { EventSourcePlus } from "event-source-plus";
import { EventSource as NpmEventSource } from "eventsource";
import { createEventSource } from "eventsource-client";
import { EventSource as LaunchDarklyEventSource } from "launchdarkly-eventsource";
import { EventSource as UndiciEventSource } from "undici";
import { subscribe } from "../../src/client/index.ts";

/** What a case wants from a client. */
export interface PeerRequest {
  readonly url: string;
  /** Returns the token to send; another one each time. */
  token(): string;
  take(data: string): void;
}

/** A client, used as its documentation says. */
export interface Peer {
  readonly name: string;
  /** Connects; returns the function that closes it. */
  open(request: PeerRequest): () => void;
}

/** Silence after which a connection is to be replaced, in ms, for clients that can. */
const silence = 500;

interface ListeningSource {
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

function listen(source: ListeningSource, { take }: PeerRequest): () => void {
  source.addEventListener("message", ({ data }) => take(data));
  source.addEventListener("error", () => {});
  return () => source.close();
}

const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` });

export const peers: readonly Peer[] = [
  {
    name: "spillway/client",
    open({ url, token, take }) {
      const subscription = subscribe(url, { token: () => token(), heartbeat: silence, backoff: { max: 2000 } });
      subscription.onState(() => {});
      subscription.on("*", ({ raw }) => take(raw));
      return subscription.close;
    },
  },
  {
    name: "eventsource",
    open: (request) =>
      listen(
        new NpmEventSource(request.url, {
          fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...bearer(request.token()) } }),
        }),
        request,
      ),
  },
  {
    name: "undici (WHATWG)",
    open: (request) => listen(new UndiciEventSource(request.url), request),
  },
  {
    name: "eventsource-client",
    open({ url, token, take }) {
      const client = createEventSource({
        url,
        fetch: (target, { headers, ...init } = {}) =>
          fetch(target, {
            ...init,
            headers: { ...(headers as Record<string, string>), ...bearer(token()) },
          }),
        onMessage: ({ data }) => take(data),
      });
      return () => client.close();
    },
  },
  {
    name: "event-source-plus",
    open({ url, token, take }) {
      const source = new EventSourcePlus(url, { headers: () => bearer(token()) });
      const controller = source.listen({ onMessage: ({ data }) => take(data) });
      return () => controller.abort();
    },
  },
  {
    name: "@microsoft/fetch-event-source",
    open({ url, token, take }) {
      const controller = new AbortController();
      void fetchEventSource(url, {
        fetch: (target, init = {}) =>
          fetch(target, { ...init, headers: { ...(init.headers as Record<string, string>), ...bearer(token()) } }),
        signal: controller.signal,
        openWhenHidden: true,
        // Without it, the end of a response is the end.
        onclose() {
          throw new Error("reconnect");
        },
        // It calls it for every block, also one with an id only.
        onmessage: ({ data }) => take(data),
      }).catch(() => {});
      return () => controller.abort();
    },
  },
  {
    name: "launchdarkly-eventsource",
    open(request) {
      const options = {
        headers: bearer(request.token()),
        errorFilter: ({ status }: { status?: number }) => status !== 401,
        initialRetryDelayMillis: 1000,
        maxBackoffMillis: 30_000,
        jitterRatio: 0.5,
        readTimeoutMillis: silence,
      };
      return listen(new LaunchDarklyEventSource(request.url, options), request);
    },
  },
];
