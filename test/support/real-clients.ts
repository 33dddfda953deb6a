import { readFile } from "node:fs/promises";
import { createServer, get, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { EventSource as NpmEventSource } from "eventsource";
import { createEventSource } from "eventsource-client";
import { createParser } from "eventsource-parser";
import { EventSourcePlus } from "event-source-plus";
import { EventSource as LaunchDarklyEventSource } from "launchdarkly-eventsource";
import { EventSource as UndiciEventSource } from "undici";
import type { Browser } from "playwright-core";
import { launchChromium } from "./chromium.ts";
import { portOf } from "./ports.ts";

/** An event as a client reports it; without a type if that is `message`. */
interface Taken {
  readonly event?: string | undefined;
  readonly data: string;
}

/** A client of a numbered stream that reconnects automatically with its last id. */
export interface Follower {
  /** The types and data of all received events, in order. */
  received(): Promise<readonly Taken[]> | readonly Taken[];
  close(): void;
}

/** A client that applications use, as documented by its authors. */
export interface RealClient {
  readonly name: string;
  /** Connects without a start position. */
  open(url: string): Promise<Follower> | Follower;
}

const controls = ["connected", "spillway.gap", "spillway.reset"];

/** The reconnect delay in ms, for clients that need one configured. */
const pause = 50;

/** Clients with the interface of the browsers' `EventSource`. */
function listen(source: {
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}): Follower {
  const received: Taken[] = [];
  for (const event of ["message", ...controls]) {
    source.addEventListener(event, ({ data }) => received.push({ event, data }));
  }
  return { received: () => received, close: () => source.close() };
}

/** Clients that a program has to call again after each connection, with the last id. */
function loop(
  connect: (
    headers: Record<string, string>,
    take: (taken: Taken, id: string | undefined) => void,
    signal: AbortSignal,
  ) => Promise<void>,
): Follower {
  const received: Taken[] = [];
  const over = new AbortController();
  const headers: Record<string, string> = { accept: "text/event-stream" };
  const run = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const take = (taken: Taken, id: string | undefined): void => {
        received.push(taken);
        if (id) headers["last-event-id"] = id;
      };
      await connect(headers, take, over.signal).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  };
  void run();
  return { received: () => received, close: () => over.abort() };
}

/** The clients that run in Node. */
export const nodeClients: readonly RealClient[] = [
  { name: "eventsource", open: (url) => listen(new NpmEventSource(url)) },
  {
    name: "eventsource-client",
    open(url) {
      const received: Taken[] = [];
      const client = createEventSource({ url, onMessage: ({ event, data }) => received.push({ event, data }) });
      return { received: () => received, close: () => client.close() };
    },
  },
  {
    name: "event-source-plus",
    open(url) {
      const received: Taken[] = [];
      const controller = new EventSourcePlus(url, { maxRetryInterval: pause }).listen({
        onMessage: ({ event, data }) => received.push({ event, data }),
      });
      return { received: () => received, close: () => controller.abort() };
    },
  },
  {
    name: "launchdarkly-eventsource",
    open(url) {
      const source = new LaunchDarklyEventSource(url, { initialRetryDelayMillis: pause, errorFilter: () => true });
      // It throws an error without a listener.
      source.addEventListener("error", () => {});
      return listen(source);
    },
  },
  { name: "undici", open: (url) => listen(new UndiciEventSource(url)) },
  {
    name: "eventsource-parser over fetch",
    open: (url) =>
      loop(async (headers, take, signal) => {
        const { body } = await fetch(url, { headers, signal });
        const parser = createParser({ onEvent: ({ event, data, id }) => take({ event, data }, id) });
        for await (const text of body!.pipeThrough(new TextDecoderStream())) parser.feed(text);
      }),
  },
  {
    name: "a reader of lines",
    open: (url) =>
      loop(async (headers, take, signal) => {
        const [response] = (await once(get(url, { headers, signal, agent: false }), "response")) as [IncomingMessage];
        let block: Partial<Record<string, string>> = {};
        for await (const line of createInterface(response)) {
          const [name = "", value = ""] = line.split(/: ?(.*)/, 2);
          if (line !== "") {
            block[name] = value;
            continue;
          }
          // Like most such readers, it ignores a block without data.
          if (block["data"] !== undefined) take({ event: block["event"], data: block["data"] }, block["id"]);
          block = {};
        }
      }),
  },
];

const page = `<!doctype html>
<title>clients</title>
<script type="module">
  import { fetchEventSource } from "/fetch-event-source/index";
  const controls = ${JSON.stringify(controls)};
  window.open = {
    "EventSource of Chromium"(url, received) {
      const source = new EventSource(url);
      for (const event of ["message", ...controls]) {
        source.addEventListener(event, ({ data }) => received.push({ event, data }));
      }
    },
    "@microsoft/fetch-event-source"(url, received) {
      void fetchEventSource(url, {
        openWhenHidden: true,
        onmessage: ({ event, data }) => received.push({ event, data }),
        onclose() {
          throw new Error("reconnect");
        },
      });
    },
  };
</script>`;

/** The folder of the modules for browsers. */
const fetchEventSource = new URL("../esm/", import.meta.resolve("@microsoft/fetch-event-source"));

/** The names of those that run in a browser. */
const browserClientNames = ["EventSource of Chromium", "@microsoft/fetch-event-source"] as const;

/** The clients that run in Chromium, each in a separate page. */
export async function startBrowserClients(): Promise<{
  readonly clients: readonly RealClient[];
  close(): Promise<void>;
}> {
  const browser = await launchChromium();
  const server = createServer((request, response) => {
    const file = /^\/fetch-event-source\/(\w+)$/.exec(request.url ?? "")?.[1];
    if (file === undefined) return void response.setHeader("content-type", "text/html").end(page);
    const script = readFile(new URL(`${file}.js`, fetchEventSource));
    void script.then((text) => response.setHeader("content-type", "text/javascript").end(text));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${portOf(server)}/`;
  return {
    clients: browserClientNames.map((name) => ({ name, open: (url) => openInPage(browser, origin, name, url) })),
    async close() {
      await browser.close();
      server.close();
    },
  };
}

async function openInPage(browser: Browser, origin: string, name: string, url: string): Promise<Follower> {
  const tab = await browser.newPage();
  await tab.goto(origin);
  await tab.waitForFunction("'EventSource of Chromium' in window.open");
  await tab.evaluate(`window.received = []; window.open[${JSON.stringify(name)}](${JSON.stringify(url)}, received)`);
  return { received: () => tab.evaluate<readonly Taken[]>("received"), close: () => void tab.close() };
}
