import type { Duplex } from "node:stream";
import { assembleGateway, type Gateway } from "../gateway/gateway.ts";
import type { GatewayOptions } from "../gateway/options.ts";
import { serveStream } from "../gateway/stream.ts";
import type { ServedStream } from "../http/served.ts";
import type { LogReaders } from "../log/log.ts";
import type { Logger } from "../util/logger.ts";
import { nobody } from "./audience.ts";
import { openChannel, type Channel } from "./channel.ts";
import { createFollower, type Follower } from "./follower.ts";
import { toErrorText, type Audiences, type Start, type ToPrimary, type ToWorker } from "./messages.ts";
import { createPrimaryLink, type PrimaryLink } from "./primary-link.ts";

/** What a worker takes from the program around it. */
export interface WorkerHost {
  openReaders(options: GatewayOptions): Promise<LogReaders>;
  createLogger(level: string, worker: number): Logger;
  /** Ends the process at once. */
  exit(code: number): void;
}

/** How often a worker reports unasked, in ms: what it counted since then is lost if it is killed. */
const reportInterval = 1000;

/** How long a worker that is told to close reads on to the log's end, in ms. */
const catchUpTime = 2000;

/** Serves clients as the primary at the other end of the stream says, until it says otherwise or is gone. */
export function runWorker(stream: Duplex, host: WorkerHost): void {
  let worker: Worker | undefined;
  let starting: Promise<void> | undefined;
  const channel: Channel<ToPrimary> = openChannel<ToPrimary, ToWorker>(stream, {
    onMessage(message) {
      if (message.kind === "start") starting = start(message);
      else if (message.kind === "listen") void listen();
      else if (message.kind === "close") void close();
      else worker?.take(message);
    },
    onClose: () => host.exit(1),
  });

  async function start(message: Start): Promise<void> {
    try {
      worker = createWorker(message, channel, host);
      await worker.prepare();
      channel.send({ kind: "prepared" });
    } catch (error) {
      fail(error);
    }
  }

  async function listen(): Promise<void> {
    try {
      const { host: address, port } = await worker!.listen();
      channel.send({ kind: "ready", host: address, port });
    } catch (error) {
      fail(error);
    }
  }

  function fail(error: unknown): void {
    channel.end({ kind: "failed", error: toErrorText(error) });
  }

  async function close(): Promise<void> {
    await starting;
    await worker?.close();
    host.exit(0);
  }
}

interface Worker {
  prepare(): Promise<void>;
  listen(): Promise<{ readonly host: string; readonly port: number }>;
  take(message: Exclude<ToWorker, { kind: "start" | "listen" | "close" }>): void;
  close(): Promise<void>;
}

function createWorker(start: Start, channel: Channel<ToPrimary>, host: WorkerHost): Worker {
  const { options } = start;
  const logger = host.createLogger(start.logLevel, start.number);
  const primary = createPrimaryLink(channel, start.facts);
  const followers = new Map<string, Follower>();
  const streams = new Map<string, ServedStream>();
  let gateway: Gateway | undefined;
  let reported = "";

  function report(unasked: boolean): void {
    const audiences: Audiences = Object.fromEntries([...streams].map(([name, { audience }]) => [name, audience()]));
    const text = JSON.stringify(audiences);
    if (!unasked || text !== reported) channel.send({ kind: "report", audiences });
    reported = text;
  }

  return {
    async prepare() {
      const readers = await host.openReaders(options);
      for (const [name, stream] of Object.entries(options.streams)) {
        const follower = createFollower(readers.open(name), () => primary.facts().streams[name], primary, logger);
        followers.set(name, follower);
        streams.set(name, await serveStream(name, stream, follower.source, { limits: options.limits, logger }));
      }
      gateway = assembleGateway(options, {
        streams: new Map([...streams].map(([name, stream]) => [name, overAllWorkers(stream, primary)])),
        logger,
        startedAt: start.facts.startedAt,
        workers: () => primary.facts().workers,
        refresh: () => primary.refresh(),
        endIngest: catchUp,
        end: async () => readers.close(),
      });
      setInterval(() => report(true), reportInterval).unref();
    },
    listen: () => gateway!.listen(),
    take(message) {
      if (message.kind === "hint") followers.get(message.stream)?.take(message);
      else if (message.kind === "upstream") followers.get(message.stream)?.announce(message.state);
      else if (message.kind === "ask") report(false);
      else primary.settle(message);
    },
    close: async () => gateway?.close(),
  };

  async function catchUp(): Promise<void> {
    const signal = AbortSignal.timeout(catchUpTime);
    await Promise.all([...followers].map(([name, follower]) => follower.catchUp(streams.get(name)!.hub, signal)));
  }
}

/** The stream as its status shows it. */
function overAllWorkers(stream: ServedStream, primary: PrimaryLink): ServedStream {
  return { ...stream, audience: () => primary.facts().streams[stream.name]?.audience ?? nobody };
}
