import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GatewayConfig } from "spillway";
import { expect } from "vitest";
import { parseExposition, type ExposedMetric } from "./exposition.ts";
import { startNumberedClient, type NumberedClient } from "./numbered-client.ts";
import type { ConnectionRecord, NumberedControl, NumberedOptions, NumberedState } from "./numbered-upstream.js";
import { freePort } from "./ports.ts";
import { startCli, startProgram, type Program } from "./process.ts";
import { eventually } from "./reader.ts";

/** The numbered stream in `/status`. */
export interface NodeStatus {
  readonly head: string;
  readonly subscribers: number;
  readonly leader: boolean;
  readonly lease: { readonly holder: string | null; readonly fence: number | null };
  readonly replication: { readonly connected: boolean; readonly lag: number | null; readonly reconnects: number };
  readonly upstream: { readonly state: string };
}

/** One of several gateways, in a separate process. */
export interface ClusterNode {
  readonly name: string;
  /** The URL of its streams: `numbers` has the upstream, `posts` has none. */
  readonly url: string;
  /** Starts or restarts it, and waits until it listens. */
  start(): Promise<void>;
  /** Sends a signal and resolves to the exit code, or to the signal that ended it. */
  kill(signal: NodeJS.Signals): Promise<number | string>;
  /** Pauses or resumes the process. */
  pause(on: boolean): void;
  status(): Promise<NodeStatus>;
  metrics(): Promise<ReadonlyMap<string, ExposedMetric>>;
  /** Its log since the last start. */
  output(): string;
}

/** Gateways on one engine, a numbered source, and clients that move from node to node. */
export interface Cluster {
  readonly nodes: readonly ClusterNode[];
  /** Adds clients of `numbers`, each of whose connections goes to the next node. */
  follow(clients: number): void;
  readonly readers: readonly NumberedClient[];
  /** Resolves to the ingesting node, once one of these has its upstream open. */
  leader(among?: readonly ClusterNode[]): Promise<ClusterNode>;
  /** Waits until each client has received this many more events than any has now. */
  progress(events: number): Promise<void>;
  source(): Promise<NumberedState>;
  control(change: NumberedControl): Promise<void>;
  /** Ends the source and waits until every client has all events; resolves to the last number. */
  finish(): Promise<number>;
  /** Like `finish`; checks that every client got exactly 1..M, and no two upstream connections were open at once for longer than this, in ms. */
  finishWithin(overlap: number): Promise<void>;
  close(): Promise<void>;
}

export interface ClusterSetup {
  /** The store URL for each node. */
  readonly urls: readonly string[];
  /** How long the lease lasts, in ms. */
  readonly lease: number;
  /** Options of the source. Default: 200 events a second, and connections that break within an event. */
  readonly source?: Partial<NumberedOptions>;
  /** More settings of the upstream. */
  readonly upstream?: Readonly<Record<string, unknown>>;
}

const unruly: Partial<NumberedOptions> = { rate: 200, dropEvery: 97, dropMode: "half", retry: 10, resume: "inclusive" };

/** Starts the source and all nodes. */
export async function startCluster(setup: ClusterSetup): Promise<Cluster> {
  const home = await mkdtemp(join(tmpdir(), "spillway-cluster-"));
  const feeder = startProgram("test/support/numbered-upstream.js", [JSON.stringify(setup.source ?? unruly)]);
  await feeder.printed("\n");
  const { origin } = JSON.parse(feeder.output()) as { origin: string };
  const nodes = await Promise.all(setup.urls.map((url, index) => prepareNode(home, index, url, origin, setup)));
  const readers: NumberedClient[] = [];

  async function control(change: NumberedControl): Promise<void> {
    await fetch(`${origin}/control`, { method: "POST", body: JSON.stringify(change) });
  }

  async function source(): Promise<NumberedState> {
    return (await (await fetch(`${origin}/state`)).json()) as NumberedState;
  }

  async function finish(): Promise<number> {
    await control({ set: { rate: 0 } });
    const { last } = await source();
    await eventually(() => readers.every((reader) => reader.last >= last), `everyone at ${last}`);
    return last;
  }

  const cluster: Cluster = {
    nodes,
    readers,
    follow(clients) {
      const urls = nodes.map(({ url }) => `${url}/streams/numbers`);
      for (let i = 0; i < clients; i++) readers.push(startNumberedClient(...urls.slice(i % urls.length), ...urls));
    },
    async leader(among = nodes) {
      let found: ClusterNode | undefined;
      await eventually(async () => {
        const states = await Promise.all(among.map((node) => node.status()));
        found = among[states.findIndex(({ leader, upstream }) => leader && upstream.state === "open")];
        return found !== undefined;
      }, "a leader");
      return found!;
    },
    async progress(events) {
      const target = Math.max(...readers.map(({ last }) => last)) + events;
      await eventually(() => readers.every(({ last }) => last >= target), `progress to ${target}`);
    },
    source,
    control,
    finish,
    async finishWithin(overlap) {
      const last = await finish();
      expect(readers.flatMap(({ faults }) => faults)).toEqual([]);
      expect(readers.map((reader) => reader.last)).toEqual(readers.map(() => last));
      const { connections } = await source();
      expect(longestOverlap(connections)).toBeLessThan(overlap);
    },
    async close() {
      for (const reader of readers) reader.close();
      await Promise.all(nodes.map((node) => node.kill("SIGKILL")));
      await feeder.kill("SIGKILL");
      await rm(home, { recursive: true });
    },
  };
  try {
    await Promise.all(nodes.map((node) => node.start()));
  } catch (error) {
    await cluster.close();
    throw error;
  }
  return cluster;
}

async function prepareNode(
  home: string,
  index: number,
  store: string,
  origin: string,
  { lease, upstream }: ClusterSetup,
): Promise<ClusterNode> {
  const name = `node-${index + 1}`;
  const port = await freePort();
  const file = join(home, `${name}.json`);
  const backoff = { min: "10ms", max: "100ms" };
  const config: GatewayConfig = {
    listen: port,
    store,
    cluster: { node: name, lease: `${lease}ms` },
    drain: "1s",
    access: { anonymous: ["subscribe", "publish", "admin"] },
    streams: { numbers: { upstream: { url: `${origin}/events`, backoff, ...upstream } }, posts: {} },
  };
  await writeFile(file, JSON.stringify(config));
  const url = `http://127.0.0.1:${port}`;
  let program: Program | undefined;
  const get = (path: string): Promise<Response> => fetch(url + path, { headers: { connection: "close" } });
  return {
    name,
    url,
    async start() {
      program = startCli("serve", "--config", file);
      await program.printed('"listening"');
    },
    kill: async (signal) => (program ? program.kill(signal) : 0),
    pause: (on) => void program!.process.kill(on ? "SIGSTOP" : "SIGCONT"),
    async status() {
      const { streams } = (await (await get("/status")).json()) as {
        readonly streams: Readonly<Record<string, NodeStatus>>;
      };
      return streams["numbers"]!;
    },
    metrics: async () => parseExposition(await (await get("/metrics")).text()),
    output: () => program?.output() ?? "",
  };
}

/** The longest time for which two connections were open at once, in ms. */
export function longestOverlap(connections: readonly ConnectionRecord[]): number {
  let longest = 0;
  for (const [index, first] of connections.entries()) {
    for (const second of connections.slice(index + 1)) {
      const end = Math.min(first.closed ?? Infinity, second.closed ?? Infinity);
      longest = Math.max(longest, end - Math.max(first.opened, second.opened));
    }
  }
  return longest;
}
